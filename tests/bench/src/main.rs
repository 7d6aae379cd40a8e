//! Benchmarks: what a launch costs, how fast machines of the pool are claimed, what a pass over it costs, what it costs
//! to know who calls, and what a cold start does.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod auth;
mod claims;
mod cold;
mod launch;
mod meter;
mod refresh;
mod refresh_process;
mod tables;

use std::error::Error;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

/// Haulout's benchmarks.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Replay a launch (boot 12 s, SSM +13 s, command 8 s): seconds to ready, lag, transitions, AWS calls.
    Launch {
        /// On the local stack in real time, instead of the in-process world on virtual time.
        #[arg(long)]
        deployed: bool,
    },
    /// Claim machines of pools of 100, 1,000 and 10,000 by 1, 16 and 64 workers: claims a second, latency, AWS calls.
    Claims,
    /// Make requests with and without a token: the time it adds, AWS calls.
    Auth,
    /// Look after pools of 100, 1,000 and 10,000 machines: AWS calls, seconds and peak memory of passes.
    Refresh,
    /// What `refresh` starts.
    #[command(hide = true)]
    RefreshProcess(refresh_process::Task),
    /// Start each function's release binary: size, time to its first poll of the Runtime API, peak memory.
    Cold {
        /// How often each is started.
        #[arg(long, default_value_t = 20)]
        runs: usize,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    let benchmark = Arguments::parse().benchmark;
    let mut runtime = match benchmark {
        Benchmark::RefreshProcess(_) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(run(benchmark))
}

async fn run(benchmark: Benchmark) -> Result<(), Box<dyn Error>> {
    match benchmark {
        Benchmark::Launch { deployed: false } => launch::replay().await,
        Benchmark::Launch { deployed: true } => launch::deployed().await,
        Benchmark::Claims => claims::run().await,
        Benchmark::Auth => auth::run().await,
        Benchmark::Refresh => refresh::run().await,
        Benchmark::RefreshProcess(task) => refresh_process::run(task).await,
        Benchmark::Cold { runs } => cold::run(runs).await,
    }
}
