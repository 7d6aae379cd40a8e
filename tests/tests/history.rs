//! Random histories: several machines, and whatever can go wrong at whatever moment, Lambda invocations side by side in
//! any order. Whatever the history, the promises hold in the end. A seed makes the same history again.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{collections::BTreeMap, io::Write as _, thread, time::Duration};

use haulout_domain::status::Status;
use haulout_local::sim::{Fault, ScriptedCommand, ScriptedOutcome};
use haulout_tests::{
    agenda::Job,
    call::{Action, Refusal, Service},
    faults::{CallFault, Death, Fate, InvocationFault, Trouble},
    random::Random,
    settings::{Settings, not_a_zip, staged},
    verdict::broken_promises,
    world::{World, usual_request},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Environment variable: this seed only, with what happened printed.
const SEED: &str = "HISTORY_SEED";
/// Environment variable: so many histories.
const COUNT: &str = "HISTORY_COUNT";
const USUAL_COUNT: u64 = 40;

/// For so long things go wrong.
const TROUBLED: Duration = Duration::from_mins(10);
/// For so long afterwards everything may take to end.
const CALM: Duration = Duration::from_hours(2);

#[test]
fn whatever_happens_every_machine_is_ready_or_gone() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let seeds: Vec<u64> = match number(SEED) {
        Some(seed) => vec![seed],
        None => (1..=number(COUNT).unwrap_or(USUAL_COUNT)).collect(),
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let told: Vec<Told> = thread::scope(|scope| {
        let part = |worker: usize| {
            let seeds = seeds.iter().copied().skip(worker).step_by(workers);
            seeds.collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..workers)
            .map(part)
            .map(|seeds| scope.spawn(move || seeds.into_iter().map(told).collect::<Vec<_>>()))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut endings: BTreeMap<Status, u32> = BTreeMap::new();
    for status in told.iter().flat_map(|told| &told.endings) {
        *endings.entry(*status).or_default() += 1;
    }
    let struck: u32 = told.iter().map(|told| told.struck).sum();
    // Past the capture of a test's output, so that the figures are seen when all is well.
    let figures = format!(
        "random histories: {}, faults struck: {struck}, machines ended {endings:?}",
        told.len()
    );
    writeln!(std::io::stderr(), "{figures}").unwrap();
    let failures: Vec<String> = told
        .iter()
        .filter(|told| !told.broken.is_empty())
        .map(|told| format!("seed {}: {:?}", told.seed, told.broken))
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} histories broke a promise (repeat one with {SEED}=…):\n{}",
        failures.len(),
        told.len(),
        failures.join("\n")
    );
}

/// How a history ended.
struct Told {
    seed: u64,
    broken: Vec<String>,
    struck: u32,
    endings: Vec<Status>,
}

fn told(seed: u64) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(history(seed))
}

async fn history(seed: u64) -> Told {
    let mut random = Random::new(seed);
    let world = World::start(settings(seed, &mut random)).await;
    for _ in 0..=random.below(3) {
        let body = request(&mut random);
        let (key, at) = (
            format!("key-{}", random.below(1_000_000)),
            seconds(&mut random, 120),
        );
        let create = Job::Create {
            body,
            key: Some(key),
        };
        world.plan(at, create.clone());
        if random.percent(30) {
            world.plan(at + seconds(&mut random, 3), create);
        }
    }
    for _ in 0..random.below(4) {
        world.plan(seconds(&mut random, 200), Job::DeleteFirst);
    }
    for _ in 0..random.below(6) {
        world.plan(seconds(&mut random, 300), Job::Sweep);
    }
    for _ in 0..random.below(5) {
        arm(&world, &mut random);
    }
    for _ in 0..random.below(5) {
        doom(&world, &mut random);
    }
    for _ in 0..random.below(3) {
        let fate = machine_fault(&mut random);
        world.sim.arm_fault(fate).unwrap();
    }
    let interruptions: Vec<Duration> = (0..random.below(3))
        .map(|_| seconds(&mut random, 200))
        .collect();
    for at in interruptions {
        interrupt(&world, at, &mut random).await;
    }
    world
        .until(TROUBLED, async |world| {
            world.elapsed().unsigned_abs() >= TROUBLED
        })
        .await;
    world.faults.clear();
    world.sim.clear_faults();
    let settled = world.settle(CALM).await;
    let mut broken = broken_promises(&world).await;
    if !settled {
        broken.push("it does not end".to_owned());
    }
    if !broken.is_empty() || std::env::var(SEED).is_ok() {
        tell(&world, seed).await;
    }
    let endings = world
        .machines()
        .await
        .iter()
        .map(|machine| machine.status)
        .collect();
    Told {
        seed,
        broken,
        struck: world.faults.struck(),
        endings,
    }
}

/// What happened, for whoever looks at a seed.
async fn tell(world: &World, seed: u64) {
    eprintln!("history {seed}");
    for logged in world.faults.log() {
        if logged.trouble.is_some() {
            eprintln!(
                "  {} of {} (invocation {}): {:?}",
                logged.action, logged.function, logged.invocation, logged.trouble
            );
        }
    }
    for execution in world.stepfunctions.executions().values() {
        eprintln!(
            "  {} {:?} {:?}",
            execution.name, execution.status, execution.history
        );
    }
    for machine in world.machines().await {
        eprintln!("  {}", serde_json::to_string(&machine).unwrap());
    }
}

fn settings(seed: u64, random: &mut Random) -> Settings {
    let good = 50 + random.below(50);
    // What becomes of a command depends on its machine, so that a second copy of it ends like the first.
    let script = move |command: &ScriptedCommand| -> ScriptedOutcome {
        let sum: u64 = command.instance_id.bytes().map(u64::from).sum();
        if Random::new(seed ^ sum).percent(good) {
            staged(Duration::from_secs(8))
        } else {
            not_a_zip()
        }
    };
    let mut settings = Settings::staging(script);
    settings.shuffle = Some(seed);
    settings.events = random.percent(80);
    if random.percent(50) {
        settings = settings.lagging(u64::try_from(random.below(40)).unwrap());
        settings.sim.change_lag = seconds(random, 10);
    }
    settings
}

fn request(random: &mut Random) -> Value {
    if random.percent(15) {
        return json!({});
    }
    let mut body = usual_request();
    if random.percent(20) {
        body["on_failure"] = json!("keep");
    }
    body
}

fn seconds(random: &mut Random, below: usize) -> Duration {
    Duration::from_secs(u64::try_from(random.below(below)).unwrap())
}

const FUNCTIONS: [&str; 13] = [
    "",
    "instances",
    "refresh",
    "provision",
    "provision.launch",
    "provision.check_instance",
    "provision.check_agent",
    "provision.send_command",
    "provision.check_command",
    "provision.fail",
    "provision.cancel_command",
    "provision.terminate",
    "provision.check_termination",
];

const ACTIONS: [(Service, &str); 11] = [
    (Service::DynamoDb, "GetItem"),
    (Service::DynamoDb, "PutItem"),
    (Service::DynamoDb, "TransactWriteItems"),
    (Service::DynamoDb, "Query"),
    (Service::Ec2, "RunInstances"),
    (Service::Ec2, "DescribeInstances"),
    (Service::Ec2, "TerminateInstances"),
    (Service::Ssm, "SendCommand"),
    (Service::Ssm, "GetCommandInvocation"),
    (Service::StepFunctions, "StartExecution"),
    (Service::StepFunctions, "DescribeExecution"),
];

fn small(random: &mut Random, below: usize) -> u32 {
    u32::try_from(random.below(below)).unwrap()
}

fn arm(world: &World, random: &mut Random) {
    let (service, name) = *random.pick(&ACTIONS);
    let action = Action {
        service,
        name: name.to_owned(),
    };
    let trouble = *random.pick(&[
        Trouble::Refused(Refusal::Throttled),
        Trouble::Refused(Refusal::ServerError),
        Trouble::Refused(Refusal::AccessDenied),
        Trouble::Lost,
        Trouble::Lost,
    ]);
    let fault = CallFault::new(FUNCTIONS[random.below(FUNCTIONS.len())], &action, trouble);
    let (skip, times) = (small(random, 12), *random.pick(&[1, 2, 3, 5, 10, 40, 400]));
    world.faults.arm(CallFault {
        skip,
        times,
        ..fault
    });
}

fn doom(world: &World, random: &mut Random) {
    let death = *random.pick(&[Death::Exit, Death::Unknown, Death::TimedOut]);
    let killed = Fate::Killed {
        after_calls: small(random, 6),
        death,
    };
    let refused = Fate::Refused("Lambda.TooManyRequestsException");
    let stalled = Fate::Stalled {
        after_calls: small(random, 6),
        seconds: small(random, 60),
    };
    let fate = *random.pick(&[
        killed,
        killed,
        killed,
        stalled,
        stalled,
        refused,
        Fate::Repeated,
    ]);
    world.faults.doom(InvocationFault {
        function: FUNCTIONS[random.below(FUNCTIONS.len())].to_owned(),
        fate,
        skip: small(random, 10),
        times: *random.pick(&[1, 1, 2, 5, 20]),
        until: Timestamp::MAX,
    });
}

fn machine_fault(random: &mut Random) -> Fault {
    let (action, error) = *random.pick(&[
        ("boot", "never"),
        ("boot", "slow"),
        ("boot", "dies"),
        ("register", "never"),
        ("register", "slow"),
        ("command", "hang"),
    ]);
    Fault::new("machine", action, error)
}

async fn interrupt(world: &World, at: Duration, random: &mut Random) {
    world
        .until(at, async |world| world.elapsed().unsigned_abs() >= at)
        .await;
    let names: Vec<String> = world.stepfunctions.executions().keys().cloned().collect();
    if names.is_empty() {
        return;
    }
    let name = random.pick(&names).clone();
    let job = if random.percent(50) {
        Job::Abort(name)
    } else {
        Job::Vanish(name)
    };
    world.plan(Duration::ZERO, job);
}
