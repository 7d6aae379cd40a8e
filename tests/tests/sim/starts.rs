//! Stops and starts: their course, what a machine keeps, and how they go wrong.

use haulout_local::sim::{Fault, MachineView};

use super::{Lab, code};

impl Lab {
    async fn stop(&self, id: &str) {
        let stopped = self.ec2.stop_instances().instance_ids(id).send();
        stopped.await.unwrap();
    }

    async fn start(&self, id: &str) {
        let started = self.ec2.start_instances().instance_ids(id).send();
        started.await.unwrap();
    }

    /// One that is stopped after its agent has been online.
    async fn stopped(&self) -> String {
        let id = self.online("t").await;
        self.stop(&id).await;
        self.advance(15);
        id
    }

    fn seen(&self, id: &str) -> MachineView {
        let machines = self.sim.state().machines;
        let mut machines = machines.into_iter();
        machines.find(|m| m.instance_id == id).unwrap()
    }

    fn arm(&self, action: &str, error: &str, reason: Option<&str>) {
        let mut fault = Fault::new("machine", action, error);
        fault.reason = reason.map(Into::into);
        self.sim.arm_fault(fault).unwrap();
    }
}

#[tokio::test]
async fn a_start_brings_another_address_and_the_agent_back() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.online("t").await;
    let first = lab.seen(&id);
    assert_eq!(first.agent, Some("online"));
    lab.stop(&id).await;
    assert_eq!(
        (lab.seen(&id).state, lab.seen(&id).agent),
        ("stopping", Some("connection_lost"))
    );
    lab.advance(15);
    let stopped = lab.describe(&id).await;
    assert_eq!(stopped.public_ip_address(), None);
    assert_eq!(
        stopped.private_ip_address(),
        Some(first.private_ip.as_str())
    );
    assert_eq!(
        stopped.state_reason().unwrap().code(),
        Some("Client.UserInitiatedShutdown")
    );
    assert_eq!(stopped.block_device_mappings().len(), 1);
    lab.start(&id).await;
    assert_eq!(lab.seen(&id).state, "pending");
    lab.advance(12);
    let again = lab.seen(&id);
    assert_eq!(
        (again.state, again.agent),
        ("running", Some("connection_lost"))
    );
    assert!(!again.checks_passed);
    assert!(again.public_ip.is_some() && again.public_ip != first.public_ip);
    assert_eq!(again.private_ip, first.private_ip);
    assert!(again.launch_time > first.launch_time);
    lab.advance(13);
    assert_eq!(lab.seen(&id).agent, Some("online"));
    lab.advance(17);
    assert!(lab.seen(&id).checks_passed);
}

#[tokio::test]
async fn a_start_that_dies_ends_stopped_with_the_reason() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.stopped().await;
    lab.arm("boot", "dies", Some("Client.InternalError"));
    lab.start(&id).await;
    assert_eq!(lab.seen(&id).state, "pending");
    lab.advance(6);
    let dead = lab.seen(&id);
    assert_eq!(
        (dead.state, dead.state_reason.as_deref()),
        ("stopped", Some("Client.InternalError"))
    );
    lab.start(&id).await;
    lab.advance(12);
    assert_eq!(lab.seen(&id).state, "running");
}

#[tokio::test]
async fn a_start_may_never_run_nor_register() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.stopped().await;
    lab.arm("boot", "never", None);
    lab.start(&id).await;
    lab.advance(3_600);
    assert_eq!(lab.seen(&id).state, "pending");
    assert_eq!(
        code(lab.ec2.stop_instances().instance_ids(&id).send().await),
        "IncorrectInstanceState"
    );
    lab.terminate(&id).await;

    let id = lab.launch("u").await;
    lab.advance(25);
    lab.stop(&id).await;
    lab.advance(15);
    lab.arm("register", "never", None);
    lab.start(&id).await;
    lab.advance(3_600);
    // It had registered before, and Systems Manager remembers.
    assert_eq!(lab.seen(&id).agent, Some("connection_lost"));
}

#[tokio::test]
async fn an_agent_that_never_registered_may_after_a_start() {
    let lab = Lab::new(|_| {}).await;
    lab.arm("register", "never", None);
    let id = lab.launch("t").await;
    lab.advance(3_600);
    lab.stop(&id).await;
    lab.advance(15);
    lab.start(&id).await;
    lab.advance(24);
    assert_eq!(lab.seen(&id).agent, None);
    lab.advance(1);
    assert_eq!(lab.seen(&id).agent, Some("online"));
}

#[tokio::test]
async fn a_stop_may_take_long_or_for_ever() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.online("t").await;
    lab.arm("stop", "slow", None);
    lab.stop(&id).await;
    lab.advance(134);
    assert_eq!(lab.seen(&id).state, "stopping");
    lab.advance(1);
    assert_eq!(lab.seen(&id).state, "stopped");
    lab.start(&id).await;
    lab.advance(12);
    lab.arm("stop", "never", None);
    lab.stop(&id).await;
    lab.advance(86_400);
    assert_eq!(lab.seen(&id).state, "stopping");
    lab.terminate(&id).await;
    lab.advance(10);
    assert_eq!(lab.seen(&id).state, "terminated");
}
