//! Stop, start and delete: what is answered, what the record says, and what EC2 was asked.

use haulout_domain::status::Status;
use haulout_tests::call::{Refusal, Service};
use serde_json::{Value, json};

use super::support::Machines;

#[tokio::test]
async fn a_ready_machine_is_stopped_once() {
    let machines = Machines::plain().await;
    let machine = machines.ready(&json!({})).await;
    for _ in 0..2 {
        let answer = machines.power(&machine, "stop").await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.json()["status"], "stopping");
        assert_eq!(answer.json()["id"], machine.id.as_str());
    }
    assert_eq!(machines.state(&machine), "stopping");
    assert_eq!(machines.counted("stop", "requested"), 1);
    let machine = machines.see(&machine).await;
    assert_eq!(machine.status, Status::Stopped);
    let answer = machines.power(&machine, "stop").await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (202, &json!("stopped"))
    );
    let id = machine.instance_id.as_ref().unwrap();
    let seen = machines.get(&format!("/instances/{id}")).await.json();
    assert_eq!(
        (&seen["state"], &seen["public_ip"]),
        (&json!("stopped"), &Value::Null)
    );
}

#[tokio::test]
async fn a_stopped_machine_is_started_by_one_execution() {
    let machines = Machines::plain().await;
    let machine = machines.stopped().await;
    for _ in 0..2 {
        let answer = machines.power(&machine, "start").await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.json()["status"], "starting");
    }
    assert_eq!(machines.counted("start", "requested"), 1);
    let machine = machines.world.machine(&machine.id).await;
    assert_eq!((machine.cycle, machine.run), (2, 1));
    let executions = machines.world.stepfunctions.executions();
    let names: Vec<_> = executions.keys().cloned().collect();
    assert!(names.contains(&machine.execution_name()), "{names:?}");
    // One for the launch, one for the start.
    assert_eq!(names.len(), 2, "{names:?}");
}

#[tokio::test]
async fn what_does_not_fit_where_a_machine_is_is_a_conflict_that_says_where() {
    let machines = Machines::plain().await;
    let new = machines.create(&json!({})).await;
    let ready = machines.ready(&json!({})).await;
    let ending = machines.ready(&json!({})).await;
    let answer = machines.delete(&format!("/instances/{}", ending.id)).await;
    assert_eq!(answer.status, 202);
    let stopping = machines.ready(&json!({})).await;
    machines.power(&stopping, "stop").await;
    let starting = machines.stopped().await;
    machines.power(&starting, "start").await;
    for (machine, verb, status) in [
        (&new, "stop", "waiting_for_instance"),
        (&new, "start", "waiting_for_instance"),
        (&ending, "stop", "terminating"),
        (&ending, "start", "terminating"),
        (&stopping, "start", "stopping"),
        (&starting, "stop", "starting"),
    ] {
        let before = machines.world.machine(&machine.id).await;
        let answer = machines.power(machine, verb).await;
        assert_eq!(answer.problem(409), "conflict", "{verb} {status}");
        let detail = answer.detail();
        assert!(detail.contains(status), "{verb}: {detail}");
        assert_eq!(machines.world.machine(&machine.id).await, before);
    }
    // A machine that is up has been started.
    let answer = machines.power(&ready, "start").await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (202, &json!("ready"))
    );
    for verb in ["start", "stop"] {
        let path = format!("/instances/m-00000000-0000-7000-8000-000000000000/{verb}");
        let answer = machines.post(&path, &json!({})).await;
        assert_eq!(answer.problem(404), "unknown_machine");
    }
}

#[tokio::test]
async fn a_spot_machine_is_not_stopped() {
    let machines = Machines::plain().await;
    let machine = machines.ready(&json!({"market": "spot"})).await;
    let answer = machines.power(&machine, "stop").await;
    assert_eq!(answer.problem(409), "spot_cannot_stop");
    assert!(answer.detail().contains("on-demand"), "{}", answer.detail());
    assert_eq!(machines.state(&machine), "running");
    assert_eq!(machines.calls("StopInstances"), 0);
}

#[tokio::test]
async fn a_stop_that_ec2_did_not_answer_is_left_to_the_sweep() {
    // An instance that somebody just started is still pending, and cannot be stopped before it runs.
    let not_yet = Refusal::Code("IncorrectInstanceState");
    for refusal in [Refusal::Throttled, Refusal::ServerError, not_yet] {
        let machines = Machines::plain().await;
        let machine = machines.ready(&json!({})).await;
        machines.refuse(Service::Ec2, "StopInstances", refusal);
        let answer = machines.power(&machine, "stop").await;
        assert_eq!(
            (answer.status, &answer.json()["status"]),
            (202, &json!("stopping"))
        );
        assert_eq!(machines.state(&machine), "running");
        let machine = machines.world.machine(&machine.id).await;
        assert_eq!(machine.to_stop(), machine.instance_id.as_ref());
        // Asked again, it is tried again.
        machines.world.faults.clear();
        machines.power(&machine, "stop").await;
        assert_eq!(machines.state(&machine), "stopping");
    }
}

#[tokio::test]
async fn a_stop_that_ec2_refuses_leaves_the_machine_as_it_was() {
    for (refusal, status, code) in [
        (Refusal::AccessDenied, 503, "aws_refused"),
        (Refusal::Code("UnsupportedOperation"), 409, "conflict"),
    ] {
        let machines = Machines::plain().await;
        let machine = machines.ready(&json!({})).await;
        machines.refuse(Service::Ec2, "StopInstances", refusal);
        let answer = machines.power(&machine, "stop").await;
        assert_eq!(answer.problem(status), code);
        let detail = answer.detail();
        assert!(detail.contains("StopInstances was refused"), "{detail}");
        let machine = machines.world.machine(&machine.id).await;
        assert_eq!(machine.status, Status::Ready);
        let last = &machine.timeline.last().unwrap().detail;
        assert!(last.starts_with("not stopped"), "{last}");
        assert_eq!(machines.counted("stop", "refused"), 1);
    }
}

#[tokio::test]
async fn a_start_whose_execution_cannot_be_started_is_left_to_the_sweep() {
    let machines = Machines::plain().await;
    let machine = machines.stopped().await;
    machines.refuse(Service::StepFunctions, "StartExecution", Refusal::Throttled);
    let answer = machines.power(&machine, "start").await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (202, &json!("starting"))
    );
    let names = || {
        let executions = machines.world.stepfunctions.executions();
        executions.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names().len(), 1);
    // Asked again, it is tried again.
    machines.world.faults.clear();
    machines.power(&machine, "start").await;
    assert_eq!(names().len(), 2);
}

#[tokio::test]
async fn a_machine_is_deleted_from_any_status() {
    let machines = Machines::plain().await;
    let stopped = machines.stopped().await;
    let stopping = machines.ready(&json!({})).await;
    machines.power(&stopping, "stop").await;
    let starting = machines.stopped().await;
    machines.power(&starting, "start").await;
    let spot = machines.ready(&json!({"market": "spot"})).await;
    let now = machines.world.clock.now();
    machines
        .change(&spot, |machine| machine.interrupted(now))
        .await;
    let all = [stopped, stopping, starting, spot];
    for machine in &all {
        for _ in 0..2 {
            let answer = machines.delete(&format!("/instances/{}", machine.id)).await;
            assert_eq!(
                (answer.status, &answer.json()["status"]),
                (202, &json!("terminating"))
            );
        }
        assert_eq!(machines.state(machine), "shutting-down");
    }
    assert_eq!(machines.counted("terminate", "requested"), all.len());
}
