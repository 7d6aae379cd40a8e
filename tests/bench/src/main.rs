//! Benchmarks: what a launch costs, how fast machines of the pool are claimed, and what a cold start does.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod claims;
mod cold;
mod launch;

use std::error::Error;

use clap::{Parser, Subcommand};

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
    /// Start each function's release binary: size, time to its first poll of the Runtime API, peak memory.
    Cold {
        /// How often each is started.
        #[arg(long, default_value_t = 20)]
        runs: usize,
    },
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().benchmark {
        Benchmark::Launch { deployed: false } => launch::replay().await,
        Benchmark::Launch { deployed: true } => launch::deployed().await,
        Benchmark::Claims => claims::run().await,
        Benchmark::Cold { runs } => cold::run(runs).await,
    }
}
