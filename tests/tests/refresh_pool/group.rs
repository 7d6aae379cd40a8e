//! What the group does to machines by itself, what it is told to leave, and what the sweep leaves to the pool.

use haulout_aws::fleet::{Ended, Fleet};
use haulout_domain::{naming::TAG_DEPLOYMENT, pool::Danger, status::Status};
use haulout_local::sim::{AutoScalingGroupSeed, LaunchTemplateSeed};
use haulout_tests::{
    lambda::schedule_event,
    settings::Settings,
    world::{DEPLOYMENT, POOL_GROUP, World},
};
use serde_json::json;

use super::support::{MINUTE, WARM, calls, claim, counts, filled, group, in_status, pass, quiet};

fn dangerous(repairs: bool) -> Settings {
    let mut settings = Settings::default().pooled(5);
    settings.pool_repairs = repairs;
    let group = &mut settings.sim.auto_scaling_groups[0];
    group.new_instances_protected = false;
    group.suspended_processes.clear();
    settings
}

async fn dangers(world: &World) -> Vec<Danger> {
    world.store.pool_report().await.unwrap().unwrap().dangers
}

#[tokio::test]
async fn dangers_are_reported_and_machines_in_use_protected() {
    let world = filled(dangerous(false)).await;
    let all = [
        Danger::NewInstancesUnprotected,
        Danger::AzRebalance,
        Danger::ReplaceUnhealthy,
    ];
    assert_eq!(dangers(&world).await, all);
    assert_eq!(calls(&world, "SetInstanceProtection"), 0);
    let red = claim(&world, "red", None).await.instance_id;
    pass(&world).await;
    pass(&world).await;
    assert_eq!(calls(&world, "SetInstanceProtection"), 1);
    let instances = group(&world).instances.into_iter();
    let protected: Vec<String> = instances
        .filter(|it| it.protected)
        .map(|it| it.instance_id)
        .collect();
    assert_eq!(protected, [red.as_str()]);
    assert_eq!(calls(&world, "UpdateAutoScalingGroup"), 0);
}

#[tokio::test]
async fn dangers_are_repaired_where_that_is_allowed() {
    let world = filled(dangerous(true)).await;
    assert_eq!(dangers(&world).await, []);
    pass(&world).await;
    assert_eq!(dangers(&world).await, []);
    assert_eq!(calls(&world, "UpdateAutoScalingGroup"), 1);
    assert_eq!(calls(&world, "SuspendProcesses"), 1);
    assert_eq!(
        group(&world).suspended_processes,
        ["AZRebalance", "ReplaceUnhealthy"]
    );
}

#[tokio::test]
async fn a_dry_run_leaves_the_pool_alone() {
    let world = quiet(Settings::default().pooled(5)).await;
    world.jump(WARM);
    let event = json!({"source": "haulout.schedule", "dry_run": true});
    let report = world.sweep(event).await.unwrap().unwrap();
    assert_eq!(report.pool, None);
    assert!(world.machines().await.is_empty());
}

#[tokio::test]
async fn a_group_that_is_not_there_is_no_failure() {
    let mut settings = Settings::default().pooled(5);
    settings.sim.auto_scaling_groups.clear();
    let world = quiet(settings).await;
    let report = world.sweep(schedule_event()).await.unwrap().unwrap();
    assert_eq!(report.pool.unwrap().found, 0);
    assert_eq!(world.store.pool_report().await.unwrap(), None);
}

/// A pool whose instances carry the deployment's tag.
fn tagged() -> Settings {
    const TEMPLATE: &str = "lt-0a1b2c3d4e5f60719";
    let mut settings = Settings::default().pooled(5);
    let mut template = LaunchTemplateSeed {
        id: TEMPLATE.to_owned(),
        name: "tagged".to_owned(),
        ..LaunchTemplateSeed::default()
    };
    for (name, value) in [
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", TAG_DEPLOYMENT),
        ("TagSpecification.1.Tag.1.Value", DEPLOYMENT),
    ] {
        template.data.push((name.to_owned(), value.to_owned()));
    }
    settings.sim.launch_templates.push(template);
    let group: &mut AutoScalingGroupSeed = &mut settings.sim.auto_scaling_groups[0];
    TEMPLATE.clone_into(&mut group.launch_template_id);
    settings.launch.guard_rails.max_machines = Some(1);
    settings
}

#[tokio::test]
async fn the_sweep_leaves_the_pool_and_its_group_alone() {
    let world = quiet(tagged()).await;
    // Before they have records, too.
    let mut before = Vec::new();
    for minute in 0..20 {
        world.jump(if minute == 0 { WARM } else { MINUTE });
        let report = world.sweep(schedule_event()).await.unwrap().unwrap();
        let done = (
            report.strays,
            report.reaped,
            report.terminated,
            report.adopted,
        );
        assert_eq!(done, (0, 0, 0, 0), "minute {minute}");
        assert_eq!(report.pool.unwrap().counts, counts(0, 5, 0));
        if minute == 0 {
            before = world.machines().await;
            assert!(before.iter().all(|it| !it.counted));
        }
    }
    assert_eq!(world.machines().await, before);
    assert_eq!(group(&world).count("InService"), 5);
}

#[tokio::test]
async fn instances_of_a_group_are_no_strays_even_without_records() {
    let mut settings = tagged();
    // The deployment has no pool.
    settings.pool = None;
    let world = quiet(settings).await;
    for _ in 0..15 {
        world.jump(MINUTE);
        let report = world.sweep(schedule_event()).await.unwrap().unwrap();
        assert_eq!((report.strays, report.reaped), (0, 0));
        assert_eq!(report.pool.unwrap().rounds, 0);
    }
    assert!(in_status(&world, Status::Idle).await.is_empty());
    assert_eq!(group(&world).count("InService"), 5);
}

#[tokio::test]
async fn what_auto_scaling_says_is_read() {
    let mut settings = Settings::default().pooled(5);
    settings.sim.auto_scaling_groups[0].min = 5;
    let world = filled(settings).await;
    let fleet = Fleet::new(world.sdk_config());
    assert_eq!(fleet.group("another").await.unwrap(), None);
    let read = fleet.group(POOL_GROUP).await.unwrap().unwrap();
    assert_eq!((read.min, read.max, read.desired), (5, 200, 5));
    assert_eq!((read.members.len(), read.dangers()), (5, Vec::new()));
    let instance = &read.members[0].instance;
    let at_minimum = fleet.terminate(instance, true).await.unwrap();
    assert_eq!(at_minimum, Ended::AtMinimum);
    assert_eq!(fleet.terminate(instance, false).await.unwrap(), Ended::Done);
    let stranger = "i-0123456789abcdef0".parse().unwrap();
    let unknown = fleet.terminate(&stranger, true).await.unwrap();
    assert_eq!(unknown, Ended::NotInGroup);
    let error = fleet.set_desired(POOL_GROUP, 1_000).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
}
