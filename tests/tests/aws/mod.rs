//! The clients for EC2, Systems Manager and Step Functions, against the simulator and through faults.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod canned;
mod catalog;
mod compute;
mod groups;
mod remote;
mod templates;
mod workflow;

use std::time::Duration;

use haulout_domain::{
    ids::{InstanceId, MachineId},
    machine::{LaunchSpec, Machine, MachineRequest},
    offer::Offer,
    plan::LaunchPlan,
    poll::Deadlines,
    status::{Market, OnFailure},
};
use haulout_local::sim::LAUNCH_TEMPLATE_ID;
use haulout_tests::{
    call::{Action, Service},
    world::World,
};

const UNKNOWN: &str = "i-0123456789abcdef0";

fn machine(world: &World) -> Machine {
    let launch = LaunchSpec {
        launch_template_id: LAUNCH_TEMPLATE_ID.parse().ok(),
        ..LaunchSpec::default()
    };
    let request = MachineRequest {
        owner: "admin".to_owned(),
        name: "a test: ümlaut".parse().ok(),
        launch,
        staging: None,
        on_failure: OnFailure::Terminate,
        keep_failed_minutes: 60,
        deadlines: Deadlines::default(),
        wait_for_status_checks: false,
        ttl_minutes: None,
    };
    Machine::new(MachineId::generate(), request, world.clock.now())
}

async fn launched(world: &World) -> InstanceId {
    let plan = plan();
    world
        .compute
        .launch(&machine(world), &plan)
        .await
        .unwrap()
        .id
}

/// What the launch template says, on demand, wherever EC2 likes.
fn plan() -> LaunchPlan {
    LaunchPlan {
        template: LAUNCH_TEMPLATE_ID.parse().ok().map(|id| (id, 1)),
        ami: None,
        instance_type: None,
        offer: Offer {
            market: Market::OnDemand,
            instance_type: None,
            subnet_id: None,
            zone: None,
        },
        security_group_ids: Vec::new(),
        root: None,
        key_name: None,
        instance_profile: None,
        require_imds_v2: false,
        login_user: None,
    }
}

/// A machine whose agent reports.
async fn online(world: &World) -> InstanceId {
    let id = launched(world).await;
    world.jump(Duration::from_secs(25));
    id
}

fn action(service: Service, name: &str) -> Action {
    Action {
        service,
        name: name.to_owned(),
    }
}
