//! The Auto Scaling group that the local stack has from the start, as an account does whose machines are in one already.

use crate::sim::{AutoScalingGroupSeed, LaunchTemplateSeed, SimConfig};

/// The name of the group and of its launch template.
pub(super) const GROUP: &str = "vscode-asg";
const LAUNCH_TEMPLATE_ID: &str = "lt-0a1b2c3d4e5f60719";
const MAX: u32 = 200;
const DESIRED: u32 = 5;

/// Adds the group and its template. Its instances are protected, and nothing replaces them on its own.
pub(super) fn add(config: &mut SimConfig) {
    config.launch_templates.push(LaunchTemplateSeed {
        id: LAUNCH_TEMPLATE_ID.into(),
        name: GROUP.into(),
        ..LaunchTemplateSeed::default()
    });
    config.auto_scaling_groups.push(AutoScalingGroupSeed {
        name: GROUP.into(),
        launch_template_id: LAUNCH_TEMPLATE_ID.into(),
        max: MAX,
        desired: DESIRED,
        new_instances_protected: true,
        suspended_processes: vec!["AZRebalance".into(), "ReplaceUnhealthy".into()],
        ..AutoScalingGroupSeed::default()
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sim::{Clock, Executor, Sim};

    #[tokio::test]
    async fn its_instances_come_up_and_are_protected() {
        let executor = Executor::succeeding(Duration::ZERO, "");
        let mut config = SimConfig::new(Clock::manual(), executor);
        add(&mut config);
        let sim = Sim::start(config).await.unwrap();
        sim.clock().advance(Duration::from_mins(1));
        let state = sim.state();
        let group = state.group(GROUP).unwrap();
        assert_eq!((group.min, group.max, group.desired), (0, 200, 5));
        assert_eq!(group.count("InService"), 5);
        assert!(group.instances.iter().all(|instance| instance.protected));
        assert_eq!(
            group.suspended_processes,
            ["AZRebalance", "ReplaceUnhealthy"]
        );
        let machine = &state.machines[0];
        assert_eq!(machine.instance_type.as_deref(), Some("t3.medium"));
        assert_eq!(machine.tags["aws:autoscaling:groupName"], GROUP);
    }
}
