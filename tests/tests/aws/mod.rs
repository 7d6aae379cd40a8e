//! The clients for EC2, Systems Manager and Step Functions, against the simulator and through faults.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod compute;
mod remote;
mod workflow;

use std::time::Duration;

use haulout_domain::{
    ids::{InstanceId, MachineId},
    machine::{LaunchSpec, Machine, MachineRequest},
    poll::Deadlines,
    status::OnFailure,
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
        ami: None,
        instance_type: None,
    };
    let request = MachineRequest {
        owner: "admin".to_owned(),
        name: "a test: ümlaut".parse().ok(),
        launch,
        staging: None,
        on_failure: OnFailure::Terminate,
        keep_failed_minutes: 60,
        deadlines: Deadlines::default(),
    };
    Machine::new(MachineId::generate(), request, world.clock.now())
}

async fn launched(world: &World) -> InstanceId {
    world.compute.launch(&machine(world)).await.unwrap().id
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
