//! The store on an embedded DynamoDB, with the tables of template.yaml.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod changes;
mod control;
mod creation;
mod lists;
mod outward;
mod quota;

use haulout_domain::{
    ids::MachineId,
    machine::{LaunchSpec, Machine, MachineRequest},
    poll::Deadlines,
    status::OnFailure,
};
use haulout_tests::{
    call::{Action, Service},
    settings::Settings,
    world::World,
};

async fn world() -> World {
    World::start(Settings::default()).await
}

/// A machine that is not in the store yet.
fn machine(world: &World) -> Machine {
    let request = MachineRequest {
        owner: "admin".to_owned(),
        name: None,
        launch: LaunchSpec::default(),
        staging: None,
        on_failure: OnFailure::Terminate,
        keep_failed_minutes: 60,
        deadlines: Deadlines::default(),
        wait_for_status_checks: false,
        ttl_minutes: None,
    };
    Machine::new(MachineId::generate(), request, world.clock.now())
}

/// A machine that is.
async fn stored(world: &World) -> Machine {
    let machine = machine(world);
    world
        .store
        .create(&machine, None, None, world.clock.now())
        .await
        .unwrap();
    machine
}

fn dynamo(name: &str) -> Action {
    Action {
        service: Service::DynamoDb,
        name: name.to_owned(),
    }
}
