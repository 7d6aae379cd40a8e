//! The sweep over what it finds at EC2: strays, drains, quotas, dry runs, and what a pass costs.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::time::Duration;

use aws_sdk_ec2::types::{
    LaunchTemplateSpecification, ResourceType, Tag, TagSpecification as Tags,
};
use haulout_aws::{clock::Clock, emf::Metrics, groups::Groups};
use haulout_domain::{
    ids::{InstanceId, MachineId},
    machine::{LaunchSpec, Machine, MachineRequest},
    naming::{TAG_ATTEMPT, TAG_DEPLOYMENT, TAG_MACHINE},
    poll::Deadlines,
    status::{OnFailure, Status},
};
use haulout_local::sim::{Fault, LAUNCH_TEMPLATE_ID};
use haulout_refresh::{Refresh, RefreshEvent, Report};
use haulout_tests::{
    lambda::schedule_event,
    settings::Settings,
    world::{DEPLOYMENT, World, usual_request},
};
use serde_json::json;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

async fn quiet_world() -> World {
    World::start(Settings {
        sweeps: false,
        events: false,
        ..Settings::default()
    })
    .await
}

async fn sweep(world: &World) -> Report {
    world.sweep(schedule_event()).await.unwrap().unwrap()
}

async fn ready_machine(world: &World) -> Machine {
    let id = world.create(&usual_request()).await.unwrap();
    assert!(world.settle(HOUR).await);
    world.machine(&id).await
}

fn ec2(world: &World) -> aws_sdk_ec2::Client {
    aws_sdk_ec2::Client::new(world.sdk_config())
}

fn tags(kind: ResourceType, tags: &[(&str, &str)]) -> Tags {
    let tag = |(key, value): &(&str, &str)| Tag::builder().key(*key).value(*value).build();
    let tags = tags.iter().map(tag).collect();
    Tags::builder()
        .resource_type(kind)
        .set_tags(Some(tags))
        .build()
}

/// Launches instances behind Haulout's back.
async fn launch(world: &World, count: i32, tagged: &[(&str, &str)]) -> Vec<InstanceId> {
    let template = LaunchTemplateSpecification::builder()
        .launch_template_id(LAUNCH_TEMPLATE_ID)
        .build();
    let answer = ec2(world)
        .run_instances()
        .min_count(count)
        .max_count(count)
        .launch_template(template)
        .tag_specifications(tags(ResourceType::Instance, tagged))
        .send()
        .await
        .unwrap();
    let ids = answer.instances().iter();
    ids.map(|it| it.instance_id().unwrap().parse().unwrap())
        .collect()
}

/// How many instances are neither ending nor gone.
fn alive(world: &World) -> usize {
    let machines = world.sim.state().machines;
    machines.iter().filter(|it| it.state == "running").count()
}

fn refresh(world: &World, quota: Option<u32>) -> Refresh {
    let time = world.clock.clone();
    Refresh {
        store: world.store.clone(),
        compute: world.compute.clone(),
        groups: Groups::new(world.sdk_config(), DEPLOYMENT),
        workflow: world.workflow.clone(),
        quota,
        pool: None,
        clock: Clock::from_fn(move || time.now()),
        metrics: Metrics::to(DEPLOYMENT, std::io::sink()),
    }
}

#[tokio::test]
async fn a_stray_is_ended_when_it_is_old_and_was_sighted_two_minutes_before() {
    let world = quiet_world().await;
    let ours = [(TAG_DEPLOYMENT, DEPLOYMENT)];
    launch(&world, 1, &ours).await;
    launch(&world, 1, &[(TAG_DEPLOYMENT, "another")]).await;
    world.jump(7 * MINUTE);
    for minute in 7..10 {
        let report = sweep(&world).await;
        assert_eq!((report.strays, report.reaped), (1, 0), "minute {minute}");
        world.jump(MINUTE);
    }
    assert_eq!(sweep(&world).await.reaped, 1);
    assert_eq!(alive(&world), 1, "the other deployment's");
    assert_eq!(sweep(&world).await.strays, 0);

    launch(&world, 1, &ours).await;
    world.jump(HOUR);
    for minute in 0..2 {
        assert_eq!(sweep(&world).await.reaped, 0, "minute {minute}");
        world.jump(MINUTE);
    }
    assert_eq!(sweep(&world).await.reaped, 1);
}

#[tokio::test]
async fn what_carries_a_machines_tag_and_is_not_its_instance_is_a_stray() {
    let world = quiet_world().await;
    let machine = ready_machine(&world).await;
    let tagged = [
        (TAG_DEPLOYMENT, DEPLOYMENT),
        (TAG_MACHINE, machine.id.as_str()),
        (TAG_ATTEMPT, "1"),
    ];
    let double = launch(&world, 1, &tagged).await.remove(0);
    world.jump(HOUR);
    assert_eq!(sweep(&world).await.strays, 1);
    world.jump(3 * MINUTE);
    assert_eq!(sweep(&world).await.reaped, 1);
    let machines = world.sim.state().machines;
    let state = |id: &InstanceId| {
        let found = machines.iter().find(|it| it.instance_id == id.as_str());
        found.unwrap().state
    };
    assert_eq!(state(&double), "shutting-down");
    assert_eq!(state(machine.instance_id.as_ref().unwrap()), "running");
    assert_eq!(world.machine(&machine.id).await, machine);
}

#[tokio::test]
async fn an_instance_that_lost_its_machines_tag_is_still_explained() {
    let world = quiet_world().await;
    let machine = ready_machine(&world).await;
    let instance = machine.instance_id.as_ref().unwrap();
    ec2(&world)
        .create_tags()
        .resources(instance.as_str())
        .tags(Tag::builder().key(TAG_MACHINE).value("gone").build())
        .send()
        .await
        .unwrap();
    world.jump(HOUR);
    for _ in 0..4 {
        let report = sweep(&world).await;
        assert_eq!((report.strays, report.reaped), (1, 0));
        world.jump(MINUTE);
    }
    assert_eq!(alive(&world), 1);
}

#[tokio::test]
async fn of_many_strays_five_are_ended_in_a_pass_and_refused_ones_are_in_nobodys_way() {
    let world = quiet_world().await;
    launch(&world, 12, &[(TAG_DEPLOYMENT, DEPLOYMENT)]).await;
    world.jump(HOUR);
    assert_eq!(sweep(&world).await.strays, 12);
    let mut left = 12;
    for (reaped, capped) in [(5, 7), (5, 2), (2, 0)] {
        world.jump(3 * MINUTE);
        let report = sweep(&world).await;
        assert_eq!((report.reaped, report.capped), (reaped, capped));
        left -= reaped;
    }
    assert_eq!(left, 0);
    assert_eq!(alive(&world), 0);

    launch(&world, 6, &[(TAG_DEPLOYMENT, DEPLOYMENT)]).await;
    world.jump(HOUR);
    sweep(&world).await;
    world.jump(3 * MINUTE);
    // The call for all five, its first half, and the first one of that.
    let protected = Fault::new("ec2", "TerminateInstances", "OperationNotPermitted").times(3);
    world.sim.arm_fault(protected).unwrap();
    let error = world.sweep(schedule_event()).await.unwrap().unwrap_err();
    assert!(error.contains("OperationNotPermitted"), "{error}");
    assert_eq!(alive(&world), 2, "the protected one and the sixth");
}

#[tokio::test]
async fn a_security_group_without_an_open_record_is_deleted_on_its_second_sighting() {
    let world = quiet_world().await;
    let id = MachineId::generate();
    let tagged = [(TAG_DEPLOYMENT, DEPLOYMENT), (TAG_MACHINE, id.as_str())];
    ec2(&world)
        .create_security_group()
        .group_name("left-behind")
        .description("test")
        .tag_specifications(tags(ResourceType::SecurityGroup, &tagged))
        .send()
        .await
        .unwrap();
    let groups = Groups::new(world.sdk_config(), DEPLOYMENT);
    for minute in 0..2 {
        let report = sweep(&world).await;
        assert_eq!((report.strays, report.reaped), (1, 0), "minute {minute}");
        world.jump(MINUTE);
    }
    assert_eq!(sweep(&world).await.reaped, 1);
    assert_eq!(groups.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_machines_own_group_lives_as_long_as_the_machine() {
    let world = quiet_world().await;
    let mut request = usual_request();
    request["create_security_group"] = json!({"cidr": "203.0.113.7/32"});
    let id = world.create(&request).await.unwrap();
    assert!(world.settle(HOUR).await);
    let groups = Groups::new(world.sdk_config(), DEPLOYMENT);
    for _ in 0..5 {
        world.jump(MINUTE);
        assert_eq!(sweep(&world).await.strays, 0);
    }
    assert_eq!(groups.list().await.unwrap().len(), 1);
    world.delete(&id).await.unwrap();
    let report = sweep(&world).await;
    assert_eq!(
        (report.groups_deleted, report.closed),
        (0, 0),
        "still in use"
    );
    world.jump(MINUTE);
    let report = sweep(&world).await;
    assert_eq!((report.groups_deleted, report.closed), (1, 1));
    assert_eq!(groups.list().await.unwrap(), []);
    assert_eq!(world.machine(&id).await.status, Status::Terminated);
}

#[tokio::test]
async fn a_dry_run_tells_and_does_nothing() {
    let world = quiet_world().await;
    let machine = ready_machine(&world).await;
    let doomed = ready_machine(&world).await;
    let now = world.clock.now();
    let end = |machine: &mut Machine| machine.terminate("test", now);
    world.store.update(&doomed.id, end).await.unwrap();
    let before = world.machines().await;
    launch(&world, 1, &[(TAG_DEPLOYMENT, DEPLOYMENT)]).await;
    world.store.start_drain("test", now).await.unwrap();
    world.jump(HOUR);
    for _ in 0..3 {
        let event = json!({"source": "haulout.schedule", "dry_run": true});
        let report = world.sweep(event).await.unwrap().unwrap();
        assert!(report.dry_run);
        assert_eq!((report.terminated, report.strays, report.reaped), (2, 1, 0));
        let plan = report.plan.join("\n");
        assert!(
            plan.contains(&format!(
                "machine {} would go from ready to terminating",
                machine.id
            )),
            "{plan}"
        );
        assert!(plan.contains("is explained by no record"), "{plan}");
        world.jump(3 * MINUTE);
    }
    assert_eq!(world.machines().await, before);
    assert_eq!(alive(&world), 3);
}

#[tokio::test]
async fn a_drain_ends_every_machine() {
    let world = quiet_world().await;
    let ready = ready_machine(&world).await;
    let stopped = ready_machine(&world).await;
    world.post(&stopped.id, "stop").await;
    world.jump(MINUTE);
    sweep(&world).await;
    assert_eq!(world.machine(&stopped.id).await.status, Status::Stopped);
    let coming = world.create(&usual_request()).await.unwrap();
    world.until(Duration::from_secs(3), async |_| false).await;
    world
        .store
        .start_drain("test", world.clock.now())
        .await
        .unwrap();
    assert_eq!(sweep(&world).await.terminated, 3);
    world.jump(MINUTE);
    sweep(&world).await;
    for id in [&ready.id, &stopped.id, &coming] {
        assert_eq!(world.machine(id).await.status, Status::Terminated);
    }
    assert_eq!(alive(&world), 0);
}

#[tokio::test]
async fn a_stop_that_ec2_refuses_for_good_is_taken_back_and_a_throttled_one_is_not() {
    let world = quiet_world().await;
    let machine = ready_machine(&world).await;
    let now = world.clock.now();
    let stop = |machine: &mut Machine| machine.stop(now);
    world.store.update(&machine.id, stop).await.unwrap();
    let throttled = Fault::new("ec2", "StopInstances", "RequestLimitExceeded").times(3);
    world.sim.arm_fault(throttled).unwrap();
    let report = sweep(&world).await;
    assert_eq!((report.stopped, report.put_off), (0, 1));
    assert_eq!(world.machine(&machine.id).await.status, Status::Stopping);
    let refused = Fault::new("ec2", "StopInstances", "UnsupportedOperation");
    world.sim.arm_fault(refused).unwrap();
    assert_eq!(sweep(&world).await.stopped, 0);
    assert_eq!(world.machine(&machine.id).await.status, Status::Ready);
}

#[tokio::test]
async fn machines_made_before_there_was_a_quota_come_to_count() {
    let world = quiet_world().await;
    let machine = ready_machine(&world).await;
    world
        .store
        .update(&machine.id, |machine| machine.counted = false)
        .await
        .unwrap();
    let refresh = refresh(&world, Some(3));
    let dry = refresh.run(&RefreshEvent::DryRun).await.unwrap();
    assert_eq!(dry.adopted, 1);
    assert!(!world.machine(&machine.id).await.counted);
    assert_eq!(
        refresh.run(&RefreshEvent::Schedule).await.unwrap().adopted,
        1
    );
    assert!(world.machine(&machine.id).await.counted);
    assert_eq!(
        refresh.run(&RefreshEvent::Schedule).await.unwrap().adopted,
        0
    );
}

fn record(world: &World) -> Machine {
    let request = MachineRequest {
        owner: "test".to_owned(),
        name: None,
        launch: LaunchSpec::default(),
        staging: None,
        on_failure: OnFailure::Terminate,
        keep_failed_minutes: 10,
        deadlines: Deadlines::default(),
        wait_for_status_checks: false,
        ttl_minutes: None,
    };
    let now = world.clock.now();
    let mut machine = Machine::new(MachineId::generate(), request, now);
    machine.launch_requested(now);
    machine
}

fn tags_of(machine: &Machine) -> [(&str, &str); 3] {
    [
        (TAG_DEPLOYMENT, DEPLOYMENT),
        (TAG_MACHINE, machine.id.as_str()),
        (TAG_ATTEMPT, "1"),
    ]
}

/// Ready machines, made behind Haulout's back.
async fn crowd(world: &World, count: usize) {
    for _ in 0..count {
        let mut machine = record(world);
        let instance = launch(world, 1, &tags_of(&machine)).await.remove(0);
        world.jump(Duration::from_secs(20));
        let facts = world.compute.describe(&instance).await.unwrap().unwrap();
        let now = world.clock.now();
        machine.launched(facts, now);
        machine.status = Status::Ready;
        world.store.create(&machine, None, None, now).await.unwrap();
    }
}

#[tokio::test]
async fn a_pass_takes_a_call_for_a_thousand_instances_and_few_to_end_them_all() {
    let world = quiet_world().await;
    crowd(&world, 20).await;
    // All of them are explained by one record: of a launch whose answer is still out.
    let mut doomed = record(&world);
    for _ in 0..2 {
        launch(&world, 550, &tags_of(&doomed)).await;
    }
    world.jump(MINUTE);
    let now = world.clock.now();
    doomed.terminate("test", now);
    world.store.create(&doomed, None, None, now).await.unwrap();
    let calls = || {
        let calls = world.sim.state().calls;
        calls["ec2"].values().sum::<u64>()
    };
    // Two pages of instances, one of security groups; five hundred are ended in a call.
    let before = calls();
    let report = sweep(&world).await;
    assert_eq!((report.looked_at, report.put_off), (21, 0));
    assert_eq!(report.terminated, 1_100);
    assert_eq!((report.ec2_calls, calls() - before), (6, 6));
    assert_eq!(alive(&world), 20);
    world.jump(MINUTE);
    // With nothing to do, the listing is all: at 10,000 machines, 11 calls.
    let before = calls();
    let report = sweep(&world).await;
    assert_eq!((report.closed, report.strays), (1, 0));
    assert_eq!((report.ec2_calls, calls() - before), (3, 3));
    // What needs nothing is not written.
    let machines = world.machines().await;
    sweep(&world).await;
    assert_eq!(world.machines().await, machines);
}
