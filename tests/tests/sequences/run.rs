//! One sequence in one world: step by step, then calm, then the end.

use std::{collections::BTreeMap, fmt::Write as _, sync::Mutex, time::Duration};

use haulout_domain::{ids::InstanceId, status::Status};
use haulout_local::sim::{ScriptedCommand, ScriptedOutcome};
use haulout_tests::{
    life::is_settled,
    random::Random,
    settings::{Settings, not_a_zip, staged},
    verdict::broken_promises,
    world::World,
};

use super::{
    act::{Actor, TYPES, calm},
    journal::Journal,
    moment,
    step::Step,
    told,
};

/// After nothing goes wrong any more, everything ends, or rests, within so long.
const CALM: Duration = Duration::from_hours(3);
/// Then the sweep looks at it again.
const AFTERWARDS: Duration = Duration::from_mins(4);

/// How a sequence ended.
pub(super) struct Ended {
    /// What was broken, with the number of the step after which it was seen.
    pub(super) broken: Vec<String>,
    pub(super) statuses: Vec<Status>,
    /// Faults that struck.
    pub(super) struck: u32,
    /// What happened, for whoever looks at a seed.
    pub(super) story: String,
}

/// Does all steps; stops at the first after which something does not hold.
pub(super) async fn run(seed: u64, steps: &[Step], tells: bool) -> Ended {
    let world = World::start(settings(seed)).await;
    world.lead_events_astray(Some(seed));
    let mut journal = Journal::default();
    let mut actor = Actor::new(&world);
    let mut broken = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        actor.act(step, &journal).await;
        broken = look(&world, &mut journal);
        if !broken.is_empty() {
            broken.insert(0, format!("after step {} ({step:?})", number + 1));
            break;
        }
    }
    if broken.is_empty() {
        broken = end(&world, &mut journal).await;
    }
    let story = if tells || !broken.is_empty() {
        story(&world, &journal)
    } else {
        String::new()
    };
    Ended {
        broken,
        statuses: journal.machines.values().map(|it| it.status).collect(),
        struck: world.faults.struck(),
        story,
    }
}

fn look(world: &World, journal: &mut Journal) -> Vec<String> {
    let mut broken = journal.read_on(world);
    broken.extend(moment::broken(world, journal));
    broken
}

/// Nothing goes wrong any more: everything comes to its end, or rests.
async fn end(world: &World, journal: &mut Journal) -> Vec<String> {
    calm(world);
    end_what_never_boots(world).await;
    world.lead_events_astray(None);
    world.store.end_drain().await.unwrap();
    let mut broken = Vec::new();
    settle(world, journal, &mut broken).await;
    // What has come to rest stays there, unless its time is over.
    world.until(AFTERWARDS, async |_| false).await;
    let settled = settle(world, journal, &mut broken).await;
    broken.extend(look(world, journal));
    if !settled {
        broken.push("it does not end".to_owned());
    }
    broken.extend(broken_promises(world).await);
    broken.extend(told::broken(world, journal));
    let mut machines = world.machines().await;
    machines.retain(|machine| journal.machines.get(&machine.id) != Some(machine));
    broken.extend(
        machines
            .iter()
            .map(|it| format!("{}: the stream lacks a write", it.id)),
    );
    if !broken.is_empty() {
        broken.insert(0, "at the end".to_owned());
    }
    broken
}

/// An instance that was started and stays `pending` cannot be stopped: nobody but EC2, or its owner, ends that.
async fn end_what_never_boots(world: &World) {
    let state = world.sim.state();
    for instance in state.machines.iter().filter(|it| it.state == "pending") {
        let id: InstanceId = instance.instance_id.parse().unwrap();
        world.compute.terminate(&id).await.unwrap();
    }
}

/// Lets time pass until everything has ended or rests, and the records say so; whether it came to that.
async fn settle(world: &World, journal: &mut Journal, broken: &mut Vec<String>) -> bool {
    world
        .until(CALM, async |world| {
            // Read from the stream, which costs less than reading the records.
            broken.extend(journal.read_on(world));
            world.is_idle()
                && journal.machines.values().all(is_settled)
                && moment::is_in_agreement(journal, &world.sim.state())
        })
        .await
}

/// The world is as different as what happens in it.
fn settings(seed: u64) -> Settings {
    let mut random = Random::new(!seed);
    let good = 50 + random.below(50);
    // What becomes of a command depends on its machine, so that a second copy of it ends like the first. Instances'
    // ids are never the same again: what counts is which comes first.
    let outcomes = Mutex::new((random.clone(), BTreeMap::new()));
    let script = move |command: &ScriptedCommand| -> ScriptedOutcome {
        let (random, outcomes) = &mut *outcomes.lock().unwrap();
        let is_good = *outcomes
            .entry(command.instance_id.clone())
            .or_insert_with(|| random.percent(good));
        if is_good {
            staged(Duration::from_secs(8))
        } else {
            not_a_zip()
        }
    };
    let mut settings = Settings::staging(script);
    settings.shuffle = random.percent(50).then_some(seed);
    settings.events = random.percent(85);
    // Seldom, so that more rests on events, and more is unnoticed for longer.
    settings.sweep_every = Duration::from_mins(3);
    if random.percent(40) {
        settings = settings.lagging(u64::try_from(random.below(40)).unwrap());
        settings.sim.change_lag = Duration::from_secs(u64::try_from(random.below(10)).unwrap());
    }
    if random.percent(60) {
        let launch = &mut settings.launch;
        launch.launch_template_id = None;
        launch.instance_types = TYPES.map(|name| name.parse().unwrap()).to_vec();
        let subnets = &settings.sim.subnets;
        launch.subnets = subnets.iter().map(|it| it.id.parse().unwrap()).collect();
    }
    if random.percent(50) {
        let places = 1 + u32::try_from(random.below(5)).unwrap();
        settings.launch.guard_rails.max_machines = Some(places);
    }
    settings
}

fn story(world: &World, journal: &Journal) -> String {
    let mut story = String::new();
    let mut line = |text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(story, "    {text}");
    };
    let (calls, invocations) = (world.faults.log().len(), world.faults.invoked().len());
    line(format!(
        "{:#}, {invocations} invocations, {calls} AWS calls",
        world.elapsed()
    ));
    for logged in world.faults.log().iter().filter(|it| it.trouble.is_some()) {
        let (of, number) = (&logged.function, logged.invocation);
        line(format!(
            "{} of {of} (invocation {number}): {:?}",
            logged.action, logged.trouble
        ));
    }
    for execution in world.stepfunctions.executions().values() {
        let (name, status) = (&execution.name, execution.status);
        line(format!("{name} {status:?} {:?}", execution.history));
    }
    for machine in journal.machines.values() {
        line(serde_json::to_string(machine).unwrap());
    }
    for instance in &world.sim.state().machines {
        line(serde_json::to_string(instance).unwrap());
    }
    story
}
