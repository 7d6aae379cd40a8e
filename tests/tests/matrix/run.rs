//! Runs cases, as many at once as there are processors, each in a world of its own.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use haulout_domain::{machine::Machine, status::Status};
use haulout_tests::{
    agenda::Job, verdict::broken_promises, walker::Status as ExecutionStatus, world::World,
};
use jiff::SignedDuration;

use super::cases::{Case, Interruption};

/// How long a case may take, in virtual time.
const LIMIT: Duration = Duration::from_hours(3);

/// Runs a future to its end, on a runtime of its own.
pub(crate) fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// Runs all of them; what failed, and how many ended how.
pub(crate) fn run_all(cases: &[Case]) -> (Vec<String>, BTreeMap<String, usize>) {
    let next = AtomicUsize::new(0);
    let results = Mutex::new((Vec::new(), BTreeMap::new()));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = on_runtime(run(case));
                    let (failures, endings) = &mut *results.lock().unwrap();
                    match result {
                        Ok(ending) => *endings.entry(ending).or_default() += 1,
                        Err(problems) => failures.push(format!("- {}: {problems}", case.name)),
                    }
                }
            });
        }
    });
    results.into_inner().unwrap()
}

/// Runs one; how its machine ended, or what is wrong with that.
pub(crate) async fn run(case: &Case) -> Result<String, String> {
    let settings = case.scenario.settings();
    let mut settings = if case.lag {
        settings.lagging(20)
    } else {
        settings
    };
    if matches!(case.interruption, Some((_, Interruption::AbortedUnseen))) {
        settings.events = false;
    }
    let world = World::start(settings).await;
    for fault in &case.calls {
        world.faults.arm(fault.clone());
    }
    for fault in &case.invocations {
        world.faults.doom(fault.clone());
    }
    if let Some(job) = &case.meanwhile {
        world.plan_during_stall(job.clone());
    }
    case.scenario.begin(&world);
    if let Some((entered, interruption)) = case.interruption {
        interrupt(&world, entered, interruption).await;
    }
    let settled = world.settle(LIMIT).await;
    let mut problems = broken_promises(&world).await;
    if !settled {
        problems.push("it does not end".to_owned());
    }
    let before = world.machines().await;
    if case.looks_again {
        world.until(Duration::from_mins(1), async |_| false).await;
        if world.machines().await != before {
            problems.push("the record still changes after its end".to_owned());
        }
    }
    problems.extend(
        before
            .iter()
            .filter_map(|machine| unfit_error(case, machine)),
    );
    if before.len() > 1 {
        problems.push(format!("{} machines were made", before.len()));
    }
    if problems.is_empty() {
        return Ok(ending(before.first()));
    }
    let record = before
        .first()
        .map(|machine| serde_json::to_string(machine).unwrap());
    let elapsed: SignedDuration = world.elapsed();
    Err(format!(
        "{problems:?} after {elapsed:#}; {}; lag {}",
        record.unwrap_or_default(),
        case.lag
    ))
}

/// Waits until the execution has entered so many states, or is over, and then interrupts it.
async fn interrupt(world: &World, entered: usize, interruption: Interruption) {
    let reached = async |world: &World| {
        let executions = world.stepfunctions.executions();
        executions.values().any(|execution| {
            execution.history.len() >= entered || execution.status != ExecutionStatus::Running
        })
    };
    assert!(
        world.until(Duration::from_hours(1), reached).await,
        "no execution gets that far"
    );
    let name = world
        .stepfunctions
        .executions()
        .keys()
        .next()
        .cloned()
        .unwrap();
    match interruption {
        Interruption::Aborted | Interruption::AbortedUnseen => world.abort(&name),
        Interruption::Vanished => world.plan(Duration::ZERO, Job::Vanish(name)),
        Interruption::Deleted => world.plan(Duration::ZERO, Job::DeleteFirst),
    }
}

/// A machine that failed for the fault says so.
fn unfit_error(case: &Case, machine: &Machine) -> Option<String> {
    let error = machine.error.as_ref()?;
    let text = format!("{}: {}", error.code, error.message);
    let expected = case.says.iter().any(|word| text.contains(word.as_str()));
    let own = case.scenario.fails_by_itself() && error.code == "not_a_zip";
    (!expected && !own).then(|| format!("its error does not speak of the fault: {text}"))
}

fn ending(machine: Option<&Machine>) -> String {
    match machine {
        None => "refused".to_owned(),
        Some(machine) => match (&machine.error, machine.status) {
            (Some(error), Status::Failed) => format!("failed: {}", error.code),
            (_, status) => status.to_string(),
        },
    }
}
