//! Step Functions: executions by their names; and how errors of all three services are read.

use std::time::Duration;

use haulout_domain::{aws_code::Meaning, ids::InstanceId, sweep::Execution};
use haulout_tests::{
    call::{Refusal, Service},
    faults::{CallFault, Trouble},
    settings::Settings,
    world::World,
};

use super::{UNKNOWN, action, machine};

#[tokio::test]
async fn an_execution_is_started_once_and_looked_up_by_its_name() {
    let world = World::start(Settings {
        sweeps: false,
        ..Settings::default()
    })
    .await;
    let machine = machine(&world);
    assert_eq!(
        world.workflow.look_up(&machine).await.unwrap(),
        Execution::NotFound
    );
    world.workflow.start(&machine).await.unwrap();
    world.workflow.start(&machine).await.unwrap();
    assert_eq!(
        world.workflow.look_up(&machine).await.unwrap(),
        Execution::Running
    );
    let name = machine.execution_name();
    assert_eq!(
        world.stepfunctions.executions()[&name].input["machine_id"],
        machine.id.as_str()
    );
    // There is no such record: it ends at its first look.
    world
        .until(Duration::from_mins(1), async |world| world.is_idle())
        .await;
    assert_eq!(
        world.workflow.look_up(&machine).await.unwrap(),
        Execution::Closed
    );
    world.workflow.start(&machine).await.unwrap();
    assert_eq!(
        world.workflow.look_up(&machine).await.unwrap(),
        Execution::Closed
    );
    assert_eq!(world.stepfunctions.executions().len(), 1);
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_a_success() {
    let world = World::start(Settings {
        sweeps: false,
        ..Settings::default()
    })
    .await;
    let start = action(Service::StepFunctions, "StartExecution");
    world.faults.arm(CallFault {
        times: 1,
        ..CallFault::new("", &start, Trouble::Lost)
    });
    let machine = machine(&world);
    world
        .invoke("test", || world.workflow.start(&machine))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        world.workflow.look_up(&machine).await.unwrap(),
        Execution::Running
    );
}

#[tokio::test]
async fn a_wrong_state_machine_is_an_error() {
    let world = World::start(Settings {
        sweeps: false,
        ..Settings::default()
    })
    .await;
    let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:another:live";
    let workflow = haulout_aws::workflow::Workflow::new(world.sdk_config(), arn);
    let error = workflow.start(&machine(&world)).await.unwrap_err();
    assert!(
        error.is("StateMachineDoesNotExist") && !error.is_transient(),
        "{error}"
    );
}

#[tokio::test]
async fn errors_are_read_for_what_they_mean_and_repeated_by_the_sdk() {
    for (refusal, meaning, tries) in [
        (Refusal::Throttled, Some(Meaning::Throttled), 3),
        (Refusal::ServerError, Some(Meaning::Unavailable), 3),
        (Refusal::AccessDenied, None, 1),
    ] {
        for (service, name) in [
            (Service::Ec2, "DescribeInstances"),
            (Service::Ssm, "DescribeInstanceInformation"),
            (Service::StepFunctions, "DescribeExecution"),
        ] {
            let world = World::start(Settings::default()).await;
            let id: InstanceId = UNKNOWN.parse().unwrap();
            world.faults.arm(CallFault::new(
                "",
                &action(service, name),
                Trouble::Refused(refusal),
            ));
            let machine = machine(&world);
            let call = async || match service {
                Service::Ec2 => world.compute.describe(&id).await.map(|_| ()),
                Service::Ssm => world.remote.is_online(&id, None).await.map(|_| ()),
                _ => world.workflow.look_up(&machine).await.map(|_| ()),
            };
            let error = world.invoke("test", call).await.unwrap().unwrap_err();
            match meaning {
                Some(meaning) => assert_eq!(error.meaning, meaning, "{error}"),
                None => assert!(!error.is_transient(), "{error}"),
            }
            assert_eq!(world.faults.log().len(), tries, "{error}");
            let text = error.to_string();
            assert!(text.contains(name) && text.contains("injected"), "{text}");
        }
    }
}
