//! States of instances by the clock: boot, checks, stop, start, termination, interruption.

use std::time::Duration;

use haulout_local::sim::{Clock, Fault};

use super::{Lab, code};

#[tokio::test]
async fn a_machine_boots_registers_passes_its_checks_and_ends() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.launch("t").await;
    let checks = async || {
        let answer = lab
            .ec2
            .describe_instance_status()
            .instance_ids(&id)
            .include_all_instances(true)
            .send()
            .await;
        let answer = answer.unwrap();
        let status = &answer.instance_statuses()[0];
        let word = |s: Option<&aws_sdk_ec2::types::InstanceStatusSummary>| {
            s.unwrap().status().unwrap().to_string()
        };
        assert_eq!(word(status.instance_status()), word(status.system_status()));
        word(status.instance_status())
    };
    let agents = async || {
        let answer = lab
            .ssm
            .describe_instance_information()
            .send()
            .await
            .unwrap();
        answer
            .instance_information_list()
            .iter()
            .map(|a| a.ping_status().unwrap().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(lab.state(&id).await, "pending");
    assert_eq!(lab.describe(&id).await.public_ip_address(), None);
    assert!(lab.describe(&id).await.private_ip_address().is_some());
    assert_eq!(checks().await, "not-applicable");
    lab.advance(11);
    assert_eq!(lab.state(&id).await, "pending");
    lab.advance(1);
    let running = lab.describe(&id).await;
    assert_eq!(running.state().unwrap().code(), Some(16));
    let ip = running.public_ip_address().unwrap();
    assert!(
        ["192.0.2.", "198.51.100.", "203.0.113."]
            .iter()
            .any(|range| ip.starts_with(range)),
        "{ip}"
    );
    assert_eq!(
        (checks().await.as_str(), agents().await.len()),
        ("initializing", 0)
    );
    lab.advance(13);
    assert_eq!(agents().await, ["Online"]);
    lab.advance(17);
    assert_eq!(checks().await, "ok");
    lab.terminate(&id).await;
    assert_eq!(lab.state(&id).await, "shutting-down");
    assert_eq!(agents().await, ["ConnectionLost"]);
    lab.advance(10);
    let ended = lab.describe(&id).await;
    assert_eq!(
        ended.state().unwrap().name().unwrap().as_str(),
        "terminated"
    );
    assert_eq!(
        ended.state_reason().unwrap().code(),
        Some("Client.UserInitiatedShutdown")
    );
    assert_eq!(ended.public_ip_address(), None);
    assert!(agents().await.is_empty());
}

#[tokio::test]
async fn a_terminated_instance_is_seen_for_an_hour() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.online("t").await;
    lab.terminate(&id).await;
    // Again, and once it is over: no error.
    lab.terminate(&id).await;
    lab.advance(10);
    lab.terminate(&id).await;
    lab.advance(3_599);
    assert_eq!(lab.state(&id).await, "terminated");
    lab.advance(1);
    assert_eq!(
        code(lab.ec2.describe_instances().instance_ids(&id).send().await),
        "InvalidInstanceID.NotFound"
    );
    assert_eq!(
        code(lab.ec2.terminate_instances().instance_ids(&id).send().await),
        "InvalidInstanceID.NotFound"
    );
    let listed = lab.ec2.describe_instances().send().await.unwrap();
    assert!(listed.reservations().is_empty());
}

#[tokio::test]
async fn stopping_and_starting() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.launch("t").await;
    let stop = || lab.ec2.stop_instances().instance_ids(&id).send();
    let start = || lab.ec2.start_instances().instance_ids(&id).send();
    assert_eq!(code(stop().await), "IncorrectInstanceState");
    lab.advance(25);
    let first_ip = lab
        .describe(&id)
        .await
        .public_ip_address()
        .unwrap()
        .to_owned();
    let stopping = stop().await.unwrap();
    let change = &stopping.stopping_instances()[0];
    assert_eq!(
        change.previous_state().unwrap().name().unwrap().as_str(),
        "running"
    );
    assert_eq!(
        change.current_state().unwrap().name().unwrap().as_str(),
        "stopping"
    );
    assert_eq!(code(start().await), "IncorrectInstanceState");
    lab.advance(15);
    assert_eq!(lab.state(&id).await, "stopped");
    stop().await.unwrap();
    start().await.unwrap();
    assert_eq!(lab.state(&id).await, "pending");
    lab.advance(12);
    assert_eq!(lab.state(&id).await, "running");
    assert_ne!(
        lab.describe(&id).await.public_ip_address(),
        Some(first_ip.as_str())
    );
    // Registered before, but not yet back.
    let agents = lab
        .ssm
        .describe_instance_information()
        .send()
        .await
        .unwrap();
    assert_eq!(
        agents.instance_information_list()[0]
            .ping_status()
            .unwrap()
            .as_str(),
        "ConnectionLost"
    );
    lab.advance(13);
    let agents = lab
        .ssm
        .describe_instance_information()
        .send()
        .await
        .unwrap();
    assert_eq!(
        agents.instance_information_list()[0]
            .ping_status()
            .unwrap()
            .as_str(),
        "Online"
    );
    start().await.unwrap();
    lab.terminate(&id).await;
    assert_eq!(code(start().await), "IncorrectInstanceState");
}

#[tokio::test]
async fn one_wrong_id_changes_nothing() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.online("t").await;
    let with = |other: &str| {
        lab.ec2
            .terminate_instances()
            .instance_ids(&id)
            .instance_ids(other)
            .send()
    };
    assert_eq!(
        code(with("i-0123456789abcdef0").await),
        "InvalidInstanceID.NotFound"
    );
    assert_eq!(
        code(with("i-nonsense").await),
        "InvalidInstanceID.Malformed"
    );
    assert_eq!(
        code(lab.ec2.terminate_instances().send().await),
        "MissingParameter"
    );
    assert_eq!(lab.state(&id).await, "running");
}

#[tokio::test]
async fn machines_misbehave_when_told_to() {
    let lab = Lab::new(|_| {}).await;
    let arm = |action: &str, error: &str| {
        lab.sim
            .arm_fault(Fault::new("machine", action, error))
            .unwrap();
    };
    arm("boot", "never");
    let stuck = lab.launch("stuck").await;
    lab.sim
        .arm_fault(Fault::new("machine", "boot", "slow").delay(Duration::from_mins(1)))
        .unwrap();
    let slow = lab.launch("slow").await;
    lab.sim
        .arm_fault(Fault {
            reason: Some("Client.VolumeLimitExceeded".into()),
            ..Fault::new("machine", "boot", "dies")
        })
        .unwrap();
    let dead = lab.launch("dead").await;
    arm("register", "never");
    let mute = lab.launch("mute").await;
    arm("status", "never");
    let unwell = lab.launch("unwell").await;
    lab.advance(13);
    assert_eq!(
        (
            lab.state(&slow).await.as_str(),
            lab.state(&mute).await.as_str()
        ),
        ("pending", "running")
    );
    lab.advance(3_000);
    assert_eq!(
        (
            lab.state(&stuck).await.as_str(),
            lab.state(&slow).await.as_str()
        ),
        ("pending", "running")
    );
    let end = lab.describe(&dead).await;
    assert_eq!(end.state().unwrap().name().unwrap().as_str(), "terminated");
    assert_eq!(
        end.state_reason().unwrap().code(),
        Some("Client.VolumeLimitExceeded")
    );
    let state = lab.sim.state();
    let view = |id: &str| state.machines.iter().find(|m| m.instance_id == id).unwrap();
    assert_eq!(
        (view(&mute).agent, view(&unwell).agent),
        (None, Some("online"))
    );
    assert_eq!(
        (view(&mute).checks_passed, view(&unwell).checks_passed),
        (true, false)
    );
}

#[tokio::test]
async fn a_sped_up_clock_speeds_machines_up_but_not_what_they_report() {
    let lab = Lab::new(|config| config.clock = Clock::real(1_000.0)).await;
    let id = lab.launch("t").await;
    super::eventually("running", async || {
        (lab.state(&id).await == "running").then_some(())
    })
    .await;
    let launched = lab.describe(&id).await.launch_time().unwrap().secs();
    assert!(launched <= lab.sim.clock().wall().as_second());
    assert!(lab.sim.clock().now() > lab.sim.clock().wall());
}

#[tokio::test]
async fn without_a_profile_an_agent_registers_only_where_hosts_are_managed() {
    for managed in [true, false] {
        let lab = Lab::new(|config| config.default_host_management = managed).await;
        let bare = lab
            .ec2
            .run_instances()
            .image_id(super::X86)
            .instance_type("t3.micro".into());
        bare.min_count(1).max_count(1).send().await.unwrap();
        lab.online("with a profile").await;
        let agents = lab
            .ssm
            .describe_instance_information()
            .send()
            .await
            .unwrap();
        assert_eq!(
            agents.instance_information_list().len(),
            1 + usize::from(managed)
        );
    }
}
