//! Ten hours of a pool's life, on virtual time: claims, releases, machines taken back, ended and stopped by others,
//! throttling, passes that die. In the end the buffer is there again, and nothing else.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{collections::BTreeSet, io::Write as _, time::Duration};

use haulout_domain::{machine::Machine, pool::DEFAULT_BUFFER, status::Status};
use haulout_tests::{
    call::{Action, Refusal, Service},
    faults::{CallFault, Death, Fate, InvocationFault, Trouble},
    random::Random,
    settings::Settings,
    world::{POOL_GROUP, World},
};
use http::Method;
use jiff::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);
const MINUTES: u32 = 600;
/// After nothing goes wrong any more, and all was given back: a surplus goes ten minutes later.
const CALM: Duration = Duration::from_hours(2);

/// What happened.
#[derive(Default)]
struct Story {
    claimed: u32,
    refused: u32,
    released: u32,
    disturbed: u32,
    projects: u32,
    held: BTreeSet<String>,
}

#[tokio::test]
async fn after_ten_hours_of_trouble_the_buffer_is_there_and_nothing_else() {
    let _alone = haulout_tests::alone::ALONE.lock().await;
    let world = World::start(of_spot()).await;
    let mut random = Random::new(10);
    let mut story = Story::default();
    for _ in 0..MINUTES {
        for _ in 0..random.below(3) {
            act(&world, &mut random, &mut story).await;
        }
        disturb(&world, &mut random, &mut story).await;
        world.until(MINUTE, async |_| false).await;
        holds_together(&world).await;
    }
    let struck = world.faults.struck();
    world.faults.clear();
    for project in std::mem::take(&mut story.held) {
        let path = format!("/projects/{project}/machine");
        let answer = world.request(Method::DELETE, &path, None, None).await;
        // One whose machine was lost has none.
        assert!(matches!(answer.unwrap().0, 202 | 404));
    }
    let rests = world
        .until(CALM, async |world| is_at_rest(world).await)
        .await;
    let (group, machines) = (group(&world), pool(&world).await);
    assert!(rests, "{group:?} {machines:?}");
    // What lives is in the group: nothing leaked.
    let live: Vec<String> = world
        .sim
        .state()
        .machines
        .iter()
        .filter(|it| it.state != "terminated")
        .map(|it| it.instance_id.clone())
        .collect();
    assert_eq!(live.len(), group.instances.len(), "{live:?}");
    assert!(story.claimed > 200 && story.released > 100 && struck > 20);
    report(&format!(
        "soak: 10 h, {} claims, {} refused, {} released, {} disturbances, {struck} faults struck, {} instances launched",
        story.claimed,
        story.refused,
        story.released,
        story.disturbed,
        world.sim.state().launched
    ));
}

/// A pool of spot instances, so that EC2 may take them back.
fn of_spot() -> Settings {
    let mut settings = Settings::default().pooled(DEFAULT_BUFFER);
    let market = [
        ("InstanceMarketOptions.MarketType", "spot"),
        (
            "InstanceMarketOptions.SpotOptions.SpotInstanceType",
            "one-time",
        ),
    ];
    let data = &mut settings.sim.launch_templates[0].data;
    data.extend(market.map(|(name, value)| (name.to_owned(), value.to_owned())));
    settings
}

/// A project comes, or goes.
async fn act(world: &World, random: &mut Random, story: &mut Story) {
    let held: Vec<String> = story.held.iter().cloned().collect();
    // About a dozen at a time.
    if random.percent(60) && held.len() < 12 {
        story.projects += 1;
        let project = format!("p{}", story.projects);
        let path = format!("/projects/{project}/machine");
        match world.request(Method::PUT, &path, None, None).await {
            Some((201, _)) => {
                story.claimed += 1;
                story.held.insert(project);
            }
            _ => story.refused += 1,
        }
    } else if !held.is_empty() {
        let project = random.pick(&held);
        let path = format!("/projects/{project}/machine");
        if let Some((202 | 404, _)) = world.request(Method::DELETE, &path, None, None).await {
            story.released += 1;
            story.held.remove(project);
        }
    }
}

/// Something goes wrong, now and then.
async fn disturb(world: &World, random: &mut Random, story: &mut Story) {
    let instances = group(world).instances;
    if random.percent(75) || instances.is_empty() {
        return;
    }
    story.disturbed += 1;
    let id = &random.pick(&instances).instance_id;
    let instance = id.parse().unwrap();
    // What is ending already can be neither taken back nor stopped.
    match random.below(6) {
        0 => {
            let _refused = world.sim.interrupt(id).await;
        }
        1 => {
            let _refused = world.compute.terminate(&instance).await;
        }
        2 => {
            let _refused = world.compute.stop(&instance).await;
        }
        3 | 4 => {
            let names = [
                "SetDesiredCapacity",
                "TerminateInstanceInAutoScalingGroup",
                "DescribeAutoScalingGroups",
            ];
            let action = Action {
                service: Service::AutoScaling,
                name: (*random.pick(&names)).to_owned(),
            };
            let trouble = [Trouble::Refused(Refusal::Throttled), Trouble::Lost];
            world.faults.arm(CallFault {
                times: 1 + u32::try_from(random.below(6)).unwrap(),
                ..CallFault::new("refresh", &action, *random.pick(&trouble))
            });
        }
        _ => world.faults.doom(InvocationFault {
            function: "refresh".to_owned(),
            fate: Fate::Killed {
                after_calls: u32::try_from(random.below(20)).unwrap(),
                death: Death::Exit,
            },
            skip: 0,
            times: 2,
            until: Timestamp::MAX,
        }),
    }
}

/// Whatever just happened: a claim is in one machine's record, and the project's row agrees.
async fn holds_together(world: &World) {
    let mut projects = BTreeSet::new();
    let now = world.clock.now();
    let claimed = world.store.pool_page(Status::Claimed, None, now).await;
    for machine in claimed.unwrap().machines {
        let claim = machine.claim().unwrap();
        assert!(projects.insert(claim.project.clone()), "{}", claim.project);
        let row = world.store.project(&claim.project).await.unwrap();
        assert_eq!(row, machine.project_machine());
    }
}

/// The buffer is idle, and neither the group nor the records know of anything else.
async fn is_at_rest(world: &World) -> bool {
    let group = group(world);
    let idle: BTreeSet<String> = pool(world)
        .await
        .iter()
        .filter(|it| it.status == Status::Idle)
        .filter_map(|it| Some(it.instance_id.as_ref()?.to_string()))
        .collect();
    let open = pool(world).await.len();
    let listed = group.instances.iter().map(|it| it.instance_id.clone());
    let buffer = DEFAULT_BUFFER as usize;
    idle.len() == buffer
        && open == buffer
        && group.desired == DEFAULT_BUFFER
        && idle == listed.collect()
}

fn group(world: &World) -> haulout_local::sim::GroupView {
    world.sim.state().group(POOL_GROUP).unwrap().clone()
}

/// The pool's open records.
async fn pool(world: &World) -> Vec<Machine> {
    let mut all = Vec::new();
    let now = world.clock.now();
    for status in Status::ALL {
        let page = world.store.pool_page(*status, None, now).await.unwrap();
        assert!(page.next.is_none());
        all.extend(
            page.machines
                .into_iter()
                .filter(|it| it.closed_at.is_none()),
        );
    }
    all
}

/// Past the capture of a test's output, so that the figures are seen when all is well.
#[expect(clippy::explicit_write, reason = "the macro's output is captured")]
fn report(text: &str) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}
