//! What happens at EC2 is heard at once, and told to whom it concerns.

use std::time::Duration;

use haulout_domain::status::Status;
use haulout_tests::{settings::Settings, world::World};

use super::support::{MINUTE, claim, group, in_status, project};

/// A pool that looks after itself, with five idle machines.
async fn living(settings: Settings) -> World {
    let world = World::start(settings).await;
    let is_full = async |world: &World| in_status(world, Status::Idle).await.len() == 5;
    assert!(world.until(2 * MINUTE, is_full).await);
    world
}

/// Subjects' last words, and owners.
fn told(world: &World) -> Vec<(String, String)> {
    let published = world.sns.messages().into_iter();
    published
        .map(|mut it| {
            let mut take = |name| it.attributes.remove(name).unwrap();
            (take("event"), take("owner"))
        })
        .collect()
}

#[tokio::test]
async fn the_loss_of_a_machine_in_use_is_heard_and_told() {
    let world = living(Settings::default().pooled(5)).await;
    let red = claim(&world, "red", None).await;
    world.compute.terminate(&red.instance_id).await.unwrap();
    let is_lost = async |world: &World| {
        let row = world.store.project(&project("red")).await.unwrap();
        row.is_none()
    };
    // Ending takes it ten seconds.
    assert!(world.until(Duration::from_secs(20), is_lost).await);
    let is_told = async |world: &World| !world.sns.messages().is_empty();
    assert!(world.until(Duration::from_secs(20), is_told).await);
    let is_closed = async |world: &World| in_status(world, Status::Terminated).await.len() == 1;
    assert!(world.until(3 * MINUTE, is_closed).await);
    let rests = async |_: &World| false;
    world.until(5 * MINUTE, rests).await;
    assert_eq!(told(&world), [("terminated".to_owned(), "dana".to_owned())]);
    let machine = world.machine(&red.machine_id).await;
    assert_eq!(machine.error.unwrap().code, "instance_gone");
    assert_eq!(in_status(&world, Status::Idle).await.len(), 5);
    assert_eq!(group(&world).desired, 5);
}

/// A pool of five whose instances are spot instances.
fn of_spot() -> Settings {
    let mut settings = Settings::default().pooled(5);
    let template = &mut settings.sim.launch_templates[0];
    for (name, value) in [
        ("InstanceMarketOptions.MarketType", "spot"),
        (
            "InstanceMarketOptions.SpotOptions.SpotInstanceType",
            "one-time",
        ),
    ] {
        template.data.push((name.to_owned(), value.to_owned()));
    }
    settings
}

#[tokio::test]
async fn a_project_that_asked_for_it_is_moved_before_its_machine_is_taken_back() {
    let world = living(of_spot()).await;
    let red = claim(&world, "red", None).await;
    let moves = world.store.update(&red.machine_id, |machine| {
        let claim = machine.pool.as_mut().unwrap().claim.as_mut().unwrap();
        claim.moves = true;
    });
    moves.await.unwrap().unwrap();
    world.sim.interrupt(red.instance_id.as_str()).await.unwrap();
    let has_another = async |world: &World| {
        let row = world.store.project(&project("red")).await.unwrap();
        row.is_some_and(|row| row.machine_id != red.machine_id)
    };
    assert!(world.until(Duration::from_secs(10), has_another).await);
    let claimed = in_status(&world, Status::Claimed).await;
    let row = world.store.project(&project("red")).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].project_machine()), (1, row));
    let old = world.machine(&red.machine_id).await;
    assert_eq!((old.status, old.claim()), (Status::Draining, None));
    let is_full = async |world: &World| in_status(world, Status::Idle).await.len() == 5;
    assert!(world.until(3 * MINUTE, is_full).await);
    assert_eq!(group(&world).desired, 6);
}

#[tokio::test]
async fn a_spot_interruption_is_told_to_who_uses_the_machine_and_else_made_up_for() {
    let world = living(of_spot()).await;
    let red = claim(&world, "red", None).await;
    let idle = in_status(&world, Status::Idle).await.remove(0);
    for instance in [&red.instance_id, idle.instance_id.as_ref().unwrap()] {
        world.sim.interrupt(instance.as_str()).await.unwrap();
    }
    let is_out = async |world: &World| world.machine(&idle.id).await.status == Status::Draining;
    assert!(world.until(Duration::from_secs(10), is_out).await);
    let held = world.store.project(&project("red")).await.unwrap();
    assert_eq!(held.unwrap(), red, "as long as it lasts");
    let rests = async |_: &World| false;
    world.until(10 * MINUTE, rests).await;
    let words: Vec<String> = told(&world).into_iter().map(|(event, _)| event).collect();
    assert_eq!(words, ["interrupted", "terminated"]);
    assert_eq!(world.store.project(&project("red")).await.unwrap(), None);
    assert_eq!(in_status(&world, Status::Idle).await.len(), 5);
}
