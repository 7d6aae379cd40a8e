//! A pass that is killed, refused or not answered at any of its calls: the next ones bring the pool to where it should
//! be, and no instance is launched or ended for nothing.

use std::time::Duration;

use haulout_domain::status::{InstanceState, Status};
use haulout_tests::{
    call::Refusal,
    faults::{CallFault, Death, Fate, InvocationFault, Trouble},
    world::World,
};
use jiff::Timestamp;

use super::support::{
    MINUTE, WARM, claim, counts, five, group, in_status, pass, passes, pool_event, release,
};

/// A pool with much to be done: a project has a machine since, one gave its own back, an idle machine is stopped, and
/// a new instance is there.
async fn busy() -> World {
    let world = five().await;
    claim(&world, "blue", None).await;
    pass(&world).await;
    world.jump(WARM);
    release(&world, "blue").await;
    claim(&world, "red", None).await;
    claim(&world, "pink", None).await;
    let idle = in_status(&world, Status::Idle).await.remove(0);
    let stopped = idle.instance_id.unwrap();
    aws_sdk_ec2::Client::new(world.sdk_config())
        .stop_instances()
        .instance_ids(stopped.as_str())
        .send()
        .await
        .unwrap();
    world.jump(MINUTE);
    world
}

/// The calls of a pass that nothing goes wrong with.
async fn recorded() -> u32 {
    let world = Box::pin(busy()).await;
    let before = world.faults.log().len();
    pass(&world).await;
    let made = world.faults.log().len() - before;
    converged(&world, "nothing goes wrong").await;
    u32::try_from(made).unwrap()
}

async fn converged(world: &World, case: &str) {
    // Longer than a lease.
    world.jump(2 * MINUTE);
    pass(world).await;
    let done = passes(world).await;
    assert_eq!(done.counts, counts(0, 5, 2), "{case}");
    let group = group(world);
    assert_eq!((group.desired, group.instances.len()), (7, 7), "{case}");
    // Five, one for blue, one in place of the stopped one, and two for red and pink less blue's.
    assert_eq!(world.sim.state().launched, 9, "{case}");
    for machine in in_status(world, Status::Terminated).await {
        let state = machine.instance.unwrap().state;
        assert_eq!(state, InstanceState::Terminated, "{case}");
    }
}

#[tokio::test]
async fn killed_at_any_call() {
    let calls = recorded().await;
    assert!(calls > 20, "{calls}");
    for after_calls in 0..=calls {
        let world = Box::pin(busy()).await;
        world.faults.doom(InvocationFault {
            function: "refresh".to_owned(),
            fate: Fate::Killed {
                after_calls,
                death: Death::Exit,
            },
            skip: 0,
            times: 1,
            until: Timestamp::MAX,
        });
        // The last ones are no deaths any more.
        let _unseen = Box::pin(world.sweep(pool_event())).await;
        converged(&world, &format!("killed after {after_calls} calls")).await;
    }
}

#[tokio::test]
async fn refused_or_not_answered_at_any_call() {
    let calls = recorded().await;
    let troubles = [
        Trouble::Lost,
        Trouble::Refused(Refusal::Throttled),
        Trouble::Refused(Refusal::ServerError),
    ];
    for trouble in troubles {
        for skip in 0..calls {
            let world = Box::pin(busy()).await;
            world.faults.arm(CallFault {
                function: "refresh".to_owned(),
                action: None,
                trouble,
                skip,
                // All that the SDK tries.
                times: 3,
                until: Timestamp::MAX,
            });
            // It may have failed and said so.
            let _unseen = Box::pin(world.sweep(pool_event())).await;
            world.faults.clear();
            converged(&world, &format!("{trouble:?} from call {skip} on")).await;
        }
    }
}

#[tokio::test]
async fn killed_twice() {
    for after_calls in [5, 12, 17] {
        let world = Box::pin(busy()).await;
        world.faults.doom(InvocationFault {
            function: "refresh".to_owned(),
            fate: Fate::Killed {
                after_calls,
                death: Death::TimedOut,
            },
            skip: 0,
            times: 2,
            until: Timestamp::MAX,
        });
        for _ in 0..2 {
            assert!(world.sweep(pool_event()).await.is_none());
            world.jump(Duration::from_secs(100));
        }
        converged(&world, &format!("killed twice after {after_calls} calls")).await;
    }
}
