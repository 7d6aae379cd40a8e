//! `cargo run`: starts the local stack, says where it is, and ends it on Ctrl-C.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use haulout_local::stack::{self, GuardRails, Stack, StackError, StackOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What a shell reports for a program ended by Ctrl-C (128 + SIGINT).
const INTERRUPTED: u8 = 130;

/// Haulout's local stack: the deployed template, on this computer, without an AWS account.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = false)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: Start,
    /// Where everything is kept [default: .haulout in the repository]
    #[arg(long, global = true, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Start {
    /// The API's port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// How many times faster than real time simulated machines, state machine waits and schedules are
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// What callers may launch
    #[arg(long, value_enum, default_value_t = Rails::Off)]
    guard_rails: Rails,
}

/// Guard rails by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Rails {
    /// Anything
    Off,
    /// t3.micro and t4g.micro, with Amazon Linux 2023
    FreeTier,
}

impl From<Rails> for GuardRails {
    fn from(rails: Rails) -> Self {
        match rails {
            Rails::Off => Self::Off,
            Rails::FreeTier => Self::FreeTier,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Removes everything a stack has kept: records, machines, blobs, logs
    Reset,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log();
    let state_dir = arguments.state_dir.unwrap_or_else(stack::default_state_dir);
    let done = match arguments.command {
        Some(Command::Reset) => reset(state_dir).await,
        None => run(arguments.start, state_dir).await,
    };
    done.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::FAILURE
    })
}

/// Warnings, or what HAULOUT_LOG asks for in the form it has for the deployed functions (e.g. `debug`).
fn log() {
    let asked = std::env::var("HAULOUT_LOG")
        .ok()
        .and_then(|targets| targets.parse().ok());
    let targets = asked.unwrap_or_else(|| Targets::new().with_default(tracing::Level::WARN));
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    tracing_subscriber::registry()
        .with(layer)
        .with(targets)
        .init();
}

async fn reset(state_dir: PathBuf) -> Result<ExitCode, StackError> {
    if stack::reset(&state_dir).await? {
        say(&format!(
            "Removed what the local stack kept in {}",
            state_dir.display()
        ));
    } else {
        say(&format!(
            "Nothing to remove: no local stack has used {}",
            state_dir.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

async fn run(start: Start, state_dir: PathBuf) -> Result<ExitCode, StackError> {
    let mut ending = Ending::new().map_err(StackError::Signals)?;
    let options = StackOptions {
        port: start.port,
        speed: start.speed,
        parameters: GuardRails::from(start.guard_rails).parameters(),
        progress: Arc::new(say),
        ..StackOptions::new(&state_dir)
    };
    let started = tokio::select! {
        started = Stack::start(options) => Some(started?),
        () = ending.asked_for() => None,
    };
    let Some(mut stack) = started else {
        say("Stopping");
        stack::wait_until_ended(&state_dir).await?;
        return Ok(INTERRUPTED.into());
    };
    say(&introduction(&stack, &state_dir));
    say(&format!("haulout is up: {}", stack.addresses.api_url));
    let failure = tokio::select! {
        failure = stack.failed() => Some(failure),
        () = ending.asked_for() => None,
    };
    // From here on Ctrl-C does nothing more: the signals stay taken, and everything is ending.
    say("Stopping; records are kept");
    let stopped = stack.shutdown().await;
    match failure {
        Some(failure) => Err(failure),
        None => stopped.map(|()| ExitCode::SUCCESS),
    }
}

/// The signals that mean: end.
struct Ending {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Ending {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn asked_for(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// What a developer needs to know of a stack that is up.
fn introduction(stack: &Stack, state_dir: &std::path::Path) -> String {
    let addresses = &stack.addresses;
    format!(
        "
This is Haulout on your computer: template.yaml, deployed into an AWS emulator, with simulated machines.
Everything listens on 127.0.0.1 only.

  CAUTION: simulated machines really run what is staged onto them, on this computer and as your user.
  Stage only archives you trust.

  API token      {token}
  demo model     {model}
  broken blob    {broken}   (not a zip: its machine ends as failed)
  machines       {machines}
  logs           {logs}
  all addresses  {local_json}

Try it:

  curl -s {api}/instances -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{{\"blob_id\":\"{model}\"}}'
  curl -s {api}/instances -H 'Authorization: Bearer {token}'

Ctrl-C stops everything; `cargo run -- reset` forgets what is kept.
",
        token = addresses.admin_token,
        model = stack.demo_blobs.model,
        broken = stack.demo_blobs.broken,
        machines = addresses.machines_dir.display(),
        logs = state_dir.join("logs").display(),
        local_json = state_dir.join("local.json").display(),
        api = addresses.api_url,
    )
}

/// One message on standard output; a reader that has gone is no reason to stop.
fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

fn complain(error: &dyn Error) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = writeln!(stderr, "  because {cause}");
        source = cause.source();
    }
}
