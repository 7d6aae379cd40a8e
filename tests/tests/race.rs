//! The race for machines: more projects than machines, many at once, functions killed and answers lost on the way. In
//! the end each machine has one project at most, and each project one machine; then half are given back, twice each.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use haulout_aws::store::IDLE_SHARDS;
use haulout_domain::{
    machine::Machine,
    pool::{ProjectId, capacity::Bounds},
    status::Status,
};
use haulout_tests::{
    call::{Action, Service},
    faults::{CallFault, Death, Fate, InvocationFault, Trouble},
    life::together,
    random::Random,
    settings::Settings,
    world::{POOL_GROUP, World},
};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Environment variable: this race only.
const SEED: &str = "HAULOUT_SEED";
const SEEDS: u64 = 20;
const MACHINES: u32 = 1_000;
const PROJECTS: usize = 1_500;
const WORKERS: usize = 64;
/// Of each kind.
const FAULTS: usize = 40;
/// A request that finds nobody is sent again so often.
const PATIENCE: u32 = 200;
/// Of refresh, which ends a hundred machines in each, to end five hundred; some are put off.
const PASSES: u32 = 12;
/// Longer than instances take to come up, or to end.
const WARM: Duration = Duration::from_mins(1);

#[test]
fn a_thousand_machines_go_to_a_thousand_of_fifteen_hundred_projects() {
    let _alone = haulout_tests::alone::ALONE.blocking_lock();
    let seed = std::env::var(SEED).ok().map(|seed| seed.parse().unwrap());
    let next = AtomicU64::new(seed.unwrap_or(1));
    let last = seed.unwrap_or(SEEDS);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > last {
                        return;
                    }
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build();
                    runtime.unwrap().block_on(race(seed));
                }
            });
        }
    });
    report(&format!(
        "races: {} of {PROJECTS} projects for {MACHINES} machines by {WORKERS} workers in {} s",
        last + 1 - seed.unwrap_or(1),
        begun.elapsed().as_secs()
    ));
}

async fn race(seed: u64) {
    let mut random = Random::new(seed);
    let world = pool_of_a_thousand(seed).await;
    arm(&world, &mut random);
    let queue = RefCell::new(queue(&mut random));
    let answers = RefCell::new(BTreeMap::new());
    together((0..WORKERS).map(|_| work(&world, &queue, &answers))).await;
    let struck = world.faults.struck();
    assert!(struck > 0, "seed {seed}: nothing went wrong");
    world.faults.clear();
    let answers = answers.into_inner();
    let got = answers.values().filter(|status| **status < 300).count();
    assert_eq!((got, answers.len()), (1_000, PROJECTS), "seed {seed}");
    assert!(
        answers.values().all(|it| matches!(it, 200 | 201 | 503)),
        "seed {seed}"
    );
    let holders = holders(&world, seed).await;
    assert_eq!(holders.len(), 1_000, "seed {seed}");
    give_back(&world, seed, holders, &mut random).await;
}

async fn pool_of_a_thousand(seed: u64) -> World {
    let mut settings = Settings::default().pooled(MACHINES);
    settings.sim.auto_scaling_groups[0].max = MACHINES;
    settings.shuffle = Some(seed);
    (settings.sweeps, settings.events) = (false, false);
    if let Some(pool) = &mut settings.pool {
        pool.bounds = Bounds {
            buffer: 0,
            min: 0,
            max: MACHINES,
        };
    }
    let world = World::start(settings).await;
    world.jump(WARM);
    look_after(&world).await;
    assert_eq!(counted(&world, Status::Idle).await, 1_000, "seed {seed}");
    world
}

/// Kills at random points, and answers lost, among the first requests.
fn arm(world: &World, random: &mut Random) {
    let mut skip = |of: usize| u32::try_from(random.below(of)).unwrap();
    for _ in 0..FAULTS {
        world.faults.doom(InvocationFault {
            function: "instances.put".to_owned(),
            fate: Fate::Killed {
                after_calls: skip(4),
                death: Death::Exit,
            },
            skip: skip(PROJECTS),
            times: 1,
            until: Timestamp::MAX,
        });
        for name in ["TransactWriteItems", "Query", "GetItem"] {
            let action = Action {
                service: Service::DynamoDb,
                name: name.to_owned(),
            };
            // As often as the SDK tries: it does not get over this by itself.
            let times = [1, 3][usize::try_from(skip(2)).unwrap()];
            world.faults.arm(CallFault {
                skip: skip(PROJECTS),
                times,
                ..CallFault::new("instances.put", &action, Trouble::Lost)
            });
        }
    }
}

/// All projects, a quarter of them twice, in any order.
fn queue(random: &mut Random) -> Vec<usize> {
    let mut queue: Vec<usize> = (0..PROJECTS).chain(0..PROJECTS / 4).collect();
    for at in (1..queue.len()).rev() {
        queue.swap(at, random.below(at + 1));
    }
    queue
}

/// Claims for one project after the other; the last answer to each project counts.
async fn work(world: &World, queue: &RefCell<Vec<usize>>, answers: &RefCell<BTreeMap<usize, u16>>) {
    loop {
        let Some(project) = queue.borrow_mut().pop() else {
            return;
        };
        let status = claim(world, project).await;
        let mut answers = answers.borrow_mut();
        let known = answers.entry(project).or_insert(status);
        *known = (*known).min(status);
    }
}

/// As a client does: asks until it is answered, and again while others are served and machines are left.
async fn claim(world: &World, project: usize) -> u16 {
    let path = format!("/projects/p{project}/machine");
    for _ in 0..PATIENCE {
        let answer = world.request(Method::PUT, &path, None, None).await;
        let Some((status, body)) = answer else {
            continue;
        };
        if status < 300 {
            return status;
        }
        assert_eq!(status, 503, "{body}");
        if body["code"] == "no_idle_machine" && !is_any_idle(world).await {
            return status;
        }
    }
    panic!("project {project} was put off for ever");
}

async fn is_any_idle(world: &World) -> bool {
    for shard in 0..IDLE_SHARDS {
        if !world.store.idle(shard, 1).await.unwrap().is_empty() {
            return true;
        }
    }
    false
}

/// The claims by the machines' records, which the projects' rows agree with.
async fn holders(world: &World, seed: u64) -> BTreeMap<ProjectId, Machine> {
    let mut holders = BTreeMap::new();
    for machine in in_status(world, Status::Claimed).await {
        let claim = machine.claim().unwrap().clone();
        let row = world.store.project(&claim.project).await.unwrap();
        assert_eq!(row, machine.project_machine(), "seed {seed}");
        let other = holders.insert(claim.project.clone(), machine);
        assert!(other.is_none(), "seed {seed}: {} has two", claim.project);
    }
    for project in 0..PROJECTS {
        let id: ProjectId = format!("p{project}").parse().unwrap();
        let row = world.store.project(&id).await.unwrap();
        assert_eq!(row.is_some(), holders.contains_key(&id), "seed {seed}");
    }
    holders
}

/// Half of the machines are destroyed twice each, while refresh looks after the pool.
async fn give_back(
    world: &World,
    seed: u64,
    holders: BTreeMap<ProjectId, Machine>,
    random: &mut Random,
) {
    let doomed: Vec<&Machine> = holders.values().take(500).collect();
    let mut queue: Vec<&Machine> = doomed.iter().chain(&doomed).copied().collect();
    for at in (1..queue.len()).rev() {
        queue.swap(at, random.below(at + 1));
    }
    let queue = RefCell::new(queue);
    let lost = Action {
        service: Service::AutoScaling,
        name: "TerminateInstanceInAutoScalingGroup".to_owned(),
    };
    for _ in 0..FAULTS {
        world.faults.arm(CallFault {
            skip: u32::try_from(random.below(500)).unwrap(),
            times: 1,
            ..CallFault::new("refresh", &lost, Trouble::Lost)
        });
    }
    together((0..WORKERS).map(|_| async {
        loop {
            let Some(machine) = queue.borrow_mut().pop() else {
                return;
            };
            let body = json!({"machineId": machine.instance_id});
            let answer = world.request(Method::POST, "/destroy", None, Some(&body));
            assert_eq!(answer.await.unwrap().0, 202, "seed {seed}");
        }
    }))
    .await;
    for _ in 0..PASSES {
        look_after(world).await;
        world.jump(WARM);
    }
    world.faults.clear();
    for _ in 0..PASSES {
        look_after(world).await;
        world.jump(WARM);
    }
    let group = world.sim.state().group(POOL_GROUP).unwrap().clone();
    assert_eq!(
        (group.desired, group.instances.len()),
        (500, 500),
        "seed {seed}"
    );
    let left: BTreeSet<String> = in_status(world, Status::Claimed)
        .await
        .iter()
        .map(|it| it.instance_id.as_ref().unwrap().to_string())
        .collect();
    let listed = group.instances.iter().map(|it| it.instance_id.clone());
    assert_eq!(left, listed.collect(), "seed {seed}");
    assert_eq!(counted(world, Status::Draining).await, 0, "seed {seed}");
}

async fn look_after(world: &World) {
    let event: Value = json!({
        "source": "aws.autoscaling",
        "detail": {"AutoScalingGroupName": POOL_GROUP},
    });
    // What could not be done is done by the next pass.
    let _troubled = world.sweep(event).await;
}

async fn in_status(world: &World, status: Status) -> Vec<Machine> {
    let (now, mut after, mut all) = (world.clock.now(), None, Vec::new());
    loop {
        let page = world.store.pool_page(status, after.as_ref(), now).await;
        let page = page.unwrap();
        all.extend(page.machines);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

async fn counted(world: &World, status: Status) -> usize {
    in_status(world, status).await.len()
}

/// Past the capture of a test's output, so that the figures are seen when all is well.
#[expect(clippy::explicit_write, reason = "the macro's output is captured")]
fn report(text: &str) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}
