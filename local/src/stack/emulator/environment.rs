//! What the emulator is told, and through it the functions: they inherit its environment.

use std::path::PathBuf;
use std::sync::OnceLock;

use uuid::Uuid;

use crate::stack::dirs::StateDir;

/// The region and account that everything local lives in.
pub(in crate::stack) const REGION: &str = "us-east-1";
pub(in crate::stack) const ACCOUNT: &str = "000000000000";
/// What requests of the account's root are signed with. It protects nothing: whoever can read this can also read the
/// state directory.
pub(in crate::stack) const SECRET_KEY: &str = "local";
/// Where the functions find what the emulator does not do, and how fast its state machines wait.
#[derive(Debug)]
pub(in crate::stack) struct Settings<'a> {
    /// The simulator's URL: EC2, Systems Manager, CloudWatch, Auto Scaling.
    pub(in crate::stack) sim_url: &'a str,
    /// How many times faster than real time.
    pub(in crate::stack) speed: f64,
    /// The port to try first.
    pub(in crate::stack) port: Option<u16>,
}

/// What the emulator and the functions see. Nothing of the caller's environment gets in: no profile, proxy or key.
pub(super) fn variables(
    dir: &StateDir,
    settings: &Settings<'_>,
    port: u16,
    endpoint: &str,
) -> Vec<(&'static str, String)> {
    let path = |path: PathBuf| path.display().to_string();
    vec![
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("HOME", path(dir.tmp())),
        ("TMPDIR", path(dir.tmp())),
        ("LANG", "C.UTF-8".into()),
        ("GATEWAY_PORT", port.to_string()),
        ("BIND_HOST", "127.0.0.1".into()),
        ("PERSIST_STATE", "1".into()),
        ("STATE_DIR", path(dir.emulator())),
        ("S3_PERSIST", "1".into()),
        ("S3_DATA_DIR", path(dir.objects())),
        // Tells this emulator from another on the same port.
        ("MINISTACK_EDITION", edition(port)),
        ("MINISTACK_REGION", REGION.into()),
        ("MINISTACK_ACCOUNT_ID", ACCOUNT.into()),
        // Signatures and the functions' policies count, as on AWS.
        ("AUTH", "true".into()),
        ("SFN_WAIT_SCALE", (1.0 / settings.speed).to_string()),
        ("LAMBDA_EXECUTOR", "local".into()),
        // Listeners of services that nothing here uses.
        ("IOT_MTLS_ENABLED", "0".into()),
        ("SFTP_ENABLED", "0".into()),
        // The emulator looks for Docker; nothing local needs it.
        ("DOCKER_HOST", "unix:///nonexistent".into()),
        // From here on for the functions, which inherit all of it.
        ("AWS_REGION", REGION.into()),
        ("AWS_ACCESS_KEY_ID", ACCOUNT.into()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.into()),
        ("AWS_CONFIG_FILE", "/dev/null".into()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("AWS_ENDPOINT_URL", endpoint.into()),
        ("AWS_ENDPOINT_URL_EC2", settings.sim_url.into()),
        ("AWS_ENDPOINT_URL_SSM", settings.sim_url.into()),
        ("AWS_ENDPOINT_URL_CLOUDWATCH", settings.sim_url.into()),
        ("AWS_ENDPOINT_URL_AUTO_SCALING", settings.sim_url.into()),
        ("RUST_BACKTRACE", "1".into()),
    ]
}

/// What this emulator calls itself in its health answer.
pub(super) fn edition(port: u16) -> String {
    static PROCESS: OnceLock<Uuid> = OnceLock::new();
    format!("haulout-{}-{port}", PROCESS.get_or_init(Uuid::now_v7))
}
