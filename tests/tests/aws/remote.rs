//! Systems Manager: agents, and commands to their end.

use std::time::Duration;

use haulout_domain::transition::CommandState;
use haulout_local::sim::Fault;
use haulout_tests::{
    settings::{STAGED, Settings},
    world::World,
};

use super::{UNKNOWN, launched, online};

#[tokio::test]
async fn an_agent_is_online_once_it_has_registered() {
    let world = World::start(Settings::default()).await;
    let id = launched(&world).await;
    world.jump(Duration::from_secs(24));
    assert!(!world.remote.is_online(&id, None).await.unwrap());
    world.jump(Duration::from_secs(1));
    assert!(world.remote.is_online(&id, None).await.unwrap());
    assert!(
        !world
            .remote
            .is_online(&UNKNOWN.parse().unwrap(), None)
            .await
            .unwrap()
    );
    world.compute.terminate(&id).await.unwrap();
    world.jump(Duration::from_secs(20));
    assert!(!world.remote.is_online(&id, None).await.unwrap());
}

#[tokio::test]
async fn a_command_is_followed_to_its_end() {
    let mut settings = Settings::default();
    settings.sim.invocation_lag = Duration::from_secs(3);
    let world = World::start(settings).await;
    let id = online(&world).await;
    let command = world
        .remote
        .send(&id, "true", 60, "a comment")
        .await
        .unwrap();
    for _ in 0..8 {
        assert_eq!(
            world.remote.command(&id, &command).await.unwrap(),
            CommandState::InProgress
        );
        world.jump(Duration::from_secs(1));
    }
    world.jump(Duration::from_secs(1));
    let ended = world.remote.command(&id, &command).await.unwrap();
    assert!(
        matches!(ended, CommandState::Ended { response_code: Some(0), stdout, .. } if stdout == STAGED)
    );
    world.remote.cancel(&id, &command).await.unwrap();
}

#[tokio::test]
async fn a_command_that_hangs_is_timed_out_or_cancelled() {
    for cancelled in [false, true] {
        let world = World::start(Settings::default()).await;
        world
            .sim
            .arm_fault(Fault::new("machine", "command", "hang"))
            .unwrap();
        let id = online(&world).await;
        let command = world
            .remote
            .send(&id, "sleep 1000", 60, "a comment")
            .await
            .unwrap();
        world.jump(Duration::from_secs(30));
        if cancelled {
            world.remote.cancel(&id, &command).await.unwrap();
            world.remote.cancel(&id, &command).await.unwrap();
        }
        world.jump(Duration::from_secs(40));
        let state = world.remote.command(&id, &command).await.unwrap();
        let expected = if cancelled {
            matches!(state, CommandState::Cancelled)
        } else {
            matches!(state, CommandState::TimedOut { .. })
        };
        assert!(expected, "{state:?}");
    }
}

#[tokio::test]
async fn a_machine_that_is_not_there_takes_no_command() {
    let world = World::start(Settings::default()).await;
    let id = launched(&world).await;
    let error = world
        .remote
        .send(&id, "true", 60, "a comment")
        .await
        .unwrap_err();
    assert!(error.is("InvalidInstanceId"), "{error}");
    let unknown = "6b29fc40-ca47-1067-b31d-00dd010662da";
    world.remote.cancel(&id, unknown).await.unwrap();
    assert_eq!(
        world.remote.command(&id, unknown).await.unwrap(),
        CommandState::InProgress
    );
}
