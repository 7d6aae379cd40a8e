//! Runs cases, as many at once as there are processors, each in a world of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    agenda::Job,
    faults::{CallFault, InvocationFault},
    walker::Status as ExecutionStatus,
    world::World,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    cases::{Case, Interruption},
    ends,
};

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

/// Does the same with each of them, as many at once as there are processors; the answers in order.
pub(crate) fn with_each<T: Sync, A: Send>(all: &[T], work: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(all.len()));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(at) else { break };
                    let answer = work(one);
                    answers.lock().unwrap().push((at, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap();
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Runs all of them; what failed, and how many ended how.
pub(crate) fn run_all(cases: &[Case]) -> (Vec<String>, BTreeMap<String, usize>) {
    let (mut failures, mut endings) = (Vec::new(), BTreeMap::new());
    let results = with_each(cases, |case| on_runtime(run(case)));
    for (case, result) in cases.iter().zip(results) {
        match result {
            Ok(ending) => *endings.entry(ending).or_default() += 1,
            Err(problems) => failures.push(format!("- {}: {problems}", case.name)),
        }
    }
    (failures, endings)
}

/// Runs one; how its machine ended, or what is wrong with that.
pub(crate) async fn run(case: &Case) -> Result<String, String> {
    let mut settings = case.scenario.settings();
    if case.lag {
        settings = settings.lagging(20);
    }
    if matches!(case.interruption, Some((_, Interruption::AbortedUnseen))) {
        settings.events = false;
    }
    let world = World::start(settings).await;
    case.scenario.prepare(&world).await;
    arm(case, &world);
    let before = executions(&world);
    case.scenario.begin(&world).await;
    if let Some((entered, interruption)) = case.interruption {
        interrupt(&world, &before, entered, interruption).await;
    }
    let is_over = world
        .until(LIMIT, async |world| case.scenario.is_over(world).await)
        .await;
    let mut problems = ends::problems(case.scenario, case.deletes(), &world).await;
    if !is_over {
        problems.push("it does not end".to_owned());
    }
    let machines = world.machines().await;
    if case.looks_again {
        world.until(Duration::from_mins(1), async |_| false).await;
        if world.machines().await != machines {
            problems.push("the record still changes after its end".to_owned());
        }
    }
    problems.extend(machines.iter().filter_map(|it| unfit_error(case, it)));
    if problems.is_empty() {
        return Ok(ending(machines.first()));
    }
    let records: Vec<String> = machines
        .iter()
        .map(|machine| serde_json::to_string(machine).unwrap())
        .collect();
    let elapsed: SignedDuration = world.elapsed();
    Err(format!(
        "{problems:?} after {elapsed:#}; {records:?}; lag {}",
        case.lag
    ))
}

/// From now on, the case's faults strike.
fn arm(case: &Case, world: &World) {
    // The times in a case count from the beginning of a world.
    let later = |until: Timestamp| until.saturating_add(world.elapsed()).unwrap_or(until);
    for fault in &case.calls {
        world.faults.arm(CallFault {
            until: later(fault.until),
            ..fault.clone()
        });
    }
    for fault in &case.invocations {
        world.faults.doom(InvocationFault {
            until: later(fault.until),
            ..fault.clone()
        });
    }
    if let Some(job) = &case.meanwhile {
        world.plan_during_stall(job.clone());
    }
}

/// The names of all executions.
pub(crate) fn executions(world: &World) -> BTreeSet<String> {
    world.stepfunctions.executions().keys().cloned().collect()
}

/// Waits until an execution that was not there before has entered so many states, or is over, and then interrupts it.
async fn interrupt(
    world: &World,
    before: &BTreeSet<String>,
    entered: usize,
    interruption: Interruption,
) {
    let reached = async |world: &World| {
        let executions = world.stepfunctions.executions();
        let mut fresh = executions.values().filter(|it| !before.contains(&it.name));
        fresh.any(|execution| {
            execution.history.len() >= entered || execution.status != ExecutionStatus::Running
        })
    };
    assert!(
        world.until(Duration::from_hours(1), reached).await,
        "no execution gets that far"
    );
    let name = executions(world)
        .difference(before)
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
    let own = case.scenario.own_errors().contains(&error.code.as_str());
    (!expected && !own).then(|| format!("its error does not speak of the fault: {text}"))
}

fn ending(machine: Option<&Machine>) -> String {
    match machine {
        None => "no machine".to_owned(),
        Some(machine) => match (&machine.error, machine.status) {
            (Some(error), Status::Failed) => format!("failed: {}", error.code),
            (_, status) => status.to_string(),
        },
    }
}
