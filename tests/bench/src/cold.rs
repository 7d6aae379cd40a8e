//! Cold start: how long a function's process takes from its start to its first poll of the Runtime API,
//! and how much memory it has used by then.

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};

/// The functions, by binary.
const FUNCTIONS: [&str; 4] = [
    "haulout-instances",
    "haulout-provision",
    "haulout-refresh",
    "haulout-console",
];

/// A process that does not poll by then is broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was measured of one start.
struct Start {
    /// From the process's start to its first poll.
    init: Duration,
    /// Peak resident memory by then, in KiB.
    memory_kib: u64,
}

/// Builds the release binaries, starts each `runs` times, and prints the medians.
pub(crate) async fn run(runs: usize) -> Result<(), Box<dyn Error>> {
    build().await?;
    println!(
        "{:<20} {:>9} {:>11} {:>11} {:>9}",
        "function", "binary", "init p50", "init max", "memory"
    );
    for function in FUNCTIONS {
        let binary = target().join(function);
        let size = fs::metadata(&binary)?.len();
        let mut starts = Vec::with_capacity(runs);
        for _ in 0..runs {
            starts.push(start(&binary).await?);
        }
        starts.sort_by_key(|start| start.init);
        let memory = starts
            .iter()
            .map(|start| start.memory_kib)
            .max()
            .unwrap_or(0);
        println!(
            "{function:<20} {:>6.1} MB {:>8.1} ms {:>8.1} ms {:>6.1} MB",
            megabytes(size),
            milliseconds(starts[starts.len() / 2].init),
            milliseconds(starts[starts.len() - 1].init),
            megabytes(memory * 1024),
        );
    }
    Ok(())
}

async fn build() -> Result<(), Box<dyn Error>> {
    println!("building the functions in release mode (several minutes the first time)");
    let mut command = Command::new("cargo");
    command.args(["build", "--release"]);
    for function in FUNCTIONS {
        command.args(["--package", function]);
    }
    if command.status().await?.success() {
        Ok(())
    } else {
        Err("the functions do not build".into())
    }
}

/// Where cargo puts release binaries: beside the folder of this one.
fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.parent()
        .and_then(Path::parent)
        .map(|target| target.join("release"))
        .unwrap_or_default()
}

async fn start(binary: &Path) -> Result<Start, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let runtime_api = listener.local_addr()?.to_string();
    let begun = Instant::now();
    let mut child = Command::new(binary)
        .env_clear()
        .envs(environment(&runtime_api))
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let measured = timeout(PATIENCE, first_poll(&listener, &child, begun)).await;
    child.kill().await?;
    measured.map_err(|_| format!("{} did not poll the Runtime API", binary.display()))?
}

async fn first_poll(
    listener: &TcpListener,
    child: &Child,
    begun: Instant,
) -> Result<Start, Box<dyn Error>> {
    let (stream, _) = listener.accept().await?;
    let mut line = String::new();
    // Kept open until the memory is read: a function whose poll breaks off ends.
    let mut poll = BufReader::new(stream);
    poll.read_line(&mut line).await?;
    let init = begun.elapsed();
    if !line.contains("/invocation/next") {
        return Err(format!("it asked for {line:?} first").into());
    }
    let pid = child.id().ok_or("it is gone already")?;
    Ok(Start {
        init,
        memory_kib: peak_memory(pid)?,
    })
}

/// `VmHWM` of a process (proc(5)), in KiB.
pub(crate) fn peak_memory(pid: u32) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// What Lambda and template.yaml give a function.
fn environment(runtime_api: &str) -> BTreeMap<&'static str, String> {
    let arn =
        |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:111122223333:{rest}");
    BTreeMap::from([
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", "bench".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "bench".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "bench".to_owned()),
        ("HAULOUT_DEPLOYMENT", "haulout".to_owned()),
        ("HAULOUT_MACHINES_TABLE", "machines".to_owned()),
        ("HAULOUT_CONTROL_TABLE", "control".to_owned()),
        (
            "HAULOUT_STATE_MACHINE_ARN",
            arn("states", "stateMachine:provision:live"),
        ),
        (
            "HAULOUT_TOKEN_KEYS_SECRET_ARN",
            arn("secretsmanager", "secret:token-keys"),
        ),
        ("HAULOUT_USERS_TABLE", "users".to_owned()),
        ("HAULOUT_TOKENS_TABLE", "tokens".to_owned()),
        ("HAULOUT_AUDIT_TABLE", "audit".to_owned()),
        (
            "HAULOUT_AGGREGATOR_URLS",
            "https://aggregator.example.com".to_owned(),
        ),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
