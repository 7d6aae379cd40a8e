//! Random sequences of steps: what callers ask, what EC2 and others do, what goes wrong. After each step what must
//! always hold does; in the end every promise was kept. A seed makes the same sequence again.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod act;
mod journal;
mod moment;
mod run;
mod step;
mod told;

use std::{
    collections::BTreeMap,
    future::Future,
    io::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use haulout_domain::status::Status;
use haulout_tests::random::Random;

use self::{
    run::{Ended, run},
    step::{Step, sequence},
};

/// Environment variable: this sequence only, made as short as it can be while it fails, with what happened printed.
const SEED: &str = "HAULOUT_SEED";
/// Environment variable: more sequences than usual.
const COUNT: &str = "HAULOUT_SEQUENCES";

/// Sequences, unless more are asked for.
const USUAL_COUNT: u64 = 2_000;
/// Steps in each.
const LENGTH: usize = 30;
/// So many failed sequences are enough to look at.
const ENOUGH: usize = 10;

#[test]
fn whatever_happens_what_must_hold_holds_after_each_step() {
    let _alone = haulout_tests::alone::ALONE.blocking_lock();
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|it| it.parse::<u64>().unwrap())
    };
    if let Some(seed) = number(SEED) {
        replay(seed);
        return;
    }
    let count = number(COUNT).map_or(USUAL_COUNT, |count| count.max(USUAL_COUNT));
    let begun = Instant::now();
    let all = Mutex::new(Summary::default());
    let next = AtomicU64::new(1);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let seed @ 1.. = next.fetch_add(1, Ordering::Relaxed)
                    && seed <= count
                    && all.lock().unwrap().failed.len() < ENOUGH
                {
                    let ended = of_seed(seed);
                    all.lock().unwrap().add(seed, ended);
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    report(&format!(
        "random sequences: {} of {LENGTH} steps in {} s, faults struck: {}, machines ended {:?}",
        all.count,
        begun.elapsed().as_secs(),
        all.struck,
        all.statuses
    ));
    assert!(
        all.failed.is_empty(),
        "{} of {} sequences failed (repeat one with {SEED}=…):\n{}",
        all.failed.len(),
        all.count,
        all.failed.join("\n")
    );
    assert_eq!(all.count, count);
}

/// What came of all sequences.
#[derive(Default)]
struct Summary {
    count: u64,
    struck: u64,
    statuses: BTreeMap<Status, u32>,
    failed: Vec<String>,
}

impl Summary {
    fn add(&mut self, seed: u64, ended: Ended) {
        self.count += 1;
        self.struck += u64::from(ended.struck);
        for status in ended.statuses {
            *self.statuses.entry(status).or_default() += 1;
        }
        if !ended.broken.is_empty() {
            let steps = listed(&steps_of(seed));
            self.failed.push(format!(
                "{SEED}={seed}: {}\n{steps}",
                ended.broken.join("; ")
            ));
        }
    }
}

fn steps_of(seed: u64) -> Vec<Step> {
    sequence(&mut Random::new(seed), LENGTH)
}

fn of_seed(seed: u64) -> Ended {
    on_runtime(run(seed, &steps_of(seed), false))
}

/// Does one sequence, and tells how it went. One that fails is then made shorter.
fn replay(seed: u64) {
    let mut steps = steps_of(seed);
    let mut ended = on_runtime(run(seed, &steps, true));
    report(&format!("{}{}", listed(&steps), ended.story));
    if ended.broken.is_empty() {
        return;
    }
    report(&format!("failed: {}", ended.broken.join("; ")));
    let mut at = steps.len();
    while at > 0 {
        at -= 1;
        let mut fewer = steps.clone();
        fewer.remove(at);
        let again = on_runtime(run(seed, &fewer, true));
        if !again.broken.is_empty() {
            (steps, ended) = (fewer, again);
        }
    }
    let broken = ended.broken.join("; ");
    report(&format!(
        "made shorter:\n{}{}failed: {broken}",
        listed(&steps),
        ended.story
    ));
    assert_eq!(ended.broken, [""; 0]);
}

fn listed(steps: &[Step]) -> String {
    let lines = steps.iter().enumerate();
    lines
        .map(|(number, step)| format!("  {:>2} {step:?}\n", number + 1))
        .collect::<Vec<_>>()
        .concat()
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// Past the capture of a test's output, so that the figures are seen when all is well.
#[expect(clippy::explicit_write, reason = "the macro's output is captured")]
fn report(text: &str) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}
