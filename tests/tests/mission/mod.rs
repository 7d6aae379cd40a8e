//! What the systems before this one let their users do: each promise is a test by its name, on the whole deployment in
//! one process.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod creator;
mod geusemaker;

use std::time::Duration;

use haulout_domain::{machine::Machine, plan::LaunchDefaults, status::Status};
use haulout_local::sim::MachineView;
use haulout_tests::{settings::Settings, verdict::broken_promises, world::World};
use http::Method;
use serde_json::Value;

/// The newest Amazon Linux 2023 images of the simulator.
const X86_AMI: &str = "ami-0a1b2c3d4e5f60001";
const ARM_AMI: &str = "ami-0a1b2c3d4e5f60002";
/// A subnet, its zone, and the security group there is.
const SUBNET_B: &str = "subnet-0a1b2c3d4e5f6000b";
const ZONE_B: &str = "us-east-1b";
const GROUP: &str = "sg-0a1b2c3d4e5f60001";
/// The key pair that both systems' users had.
const KEY: &str = "my_ec2_keypair";

/// Longer than any machine takes to come up or to end.
const HOUR: Duration = Duration::from_hours(1);

/// A deployment without a launch template.
fn plain() -> Settings {
    with(LaunchDefaults::default())
}

/// A deployment with these defaults for launches.
fn with(launch: LaunchDefaults) -> Settings {
    Settings {
        launch,
        ..Settings::default()
    }
}

/// Asks for a machine, waits for its end, and holds it to every promise.
async fn ended(world: &World, body: &Value) -> Machine {
    let id = world.create(body).await.unwrap();
    settled(world).await;
    world.machine(&id).await
}

/// A machine that came up.
async fn ready(world: &World, body: &Value) -> Machine {
    let machine = ended(world, body).await;
    assert_eq!(machine.status, Status::Ready, "{:?}", machine.error);
    machine
}

/// Waits until everything has come to its end, and holds it to every promise.
async fn settled(world: &World) {
    assert!(world.settle(HOUR).await, "{:?}", world.machines().await);
    assert_eq!(broken_promises(world).await, [""; 0]);
}

/// What a caller reads of a machine.
async fn view(world: &World, machine: &Machine) -> Value {
    get(world, &format!("/instances/{}", machine.id)).await
}

async fn get(world: &World, path: &str) -> Value {
    let (status, body) = world.request(Method::GET, path, None, None).await.unwrap();
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// Status and problem of a request for a machine that is refused.
async fn refused(world: &World, body: &Value) -> (u16, Value) {
    let before = world.machines().await.len();
    let answer = world.request(Method::POST, "/instances", None, Some(body));
    let answer = answer.await.unwrap();
    assert_eq!(world.machines().await.len(), before, "{body}");
    answer
}

/// The machine's instance, as the simulator shows it.
fn instance(world: &World, machine: &Machine) -> MachineView {
    let id = machine.instance_id.as_ref().unwrap().as_str();
    let machines = world.sim.state().machines;
    machines
        .into_iter()
        .find(|it| it.instance_id == id)
        .unwrap()
}

/// The statuses a machine went through.
fn phases(machine: &Machine) -> Vec<&'static str> {
    let entries = machine.timeline.iter();
    entries.map(|entry| entry.phase.as_str()).collect()
}
