//! Amazon EC2 Auto Scaling: the group that the pool's instances are in.

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_autoscaling::{
    Client, config,
    types::{AutoScalingGroup, Instance},
};
use haulout_domain::{
    ids::InstanceId,
    pool::{AZ_REBALANCE, Danger, Group, Lifecycle, Member, REPLACE_UNHEALTHY},
};

use crate::error::AwsError;

/// The most instances that one call protects (Auto Scaling API, SetInstanceProtection).
pub const MOST_PROTECTED: usize = 50;

/// Auto Scaling.
#[derive(Debug, Clone)]
pub struct Fleet {
    client: Client,
}

/// What came of ending an instance in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The group ends it.
    Done,
    /// The group is at its minimum, and cannot aim at fewer: the instance is not ended.
    AtMinimum,
    /// No group has it (any more).
    NotInGroup,
}

impl Fleet {
    /// Auto Scaling.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
        }
    }

    /// The group with all its instances (DescribeAutoScalingGroups); nothing when there is none of that name.
    pub async fn group(&self, name: &str) -> Result<Option<Group>, AwsError> {
        let answer = self
            .client
            .describe_auto_scaling_groups()
            .auto_scaling_group_names(name)
            .send()
            .await
            .map_err(|error| AwsError::new("DescribeAutoScalingGroups", error))?;
        let mut groups = answer.auto_scaling_groups.unwrap_or_default().into_iter();
        let found = groups.find(|group| group.auto_scaling_group_name() == Some(name));
        Ok(found.map(|found| group(name, &found)))
    }

    /// How many instances the group is to aim at (SetDesiredCapacity), cooldown or not.
    pub async fn set_desired(&self, name: &str, desired: u32) -> Result<(), AwsError> {
        self.client
            .set_desired_capacity()
            .auto_scaling_group_name(name)
            .desired_capacity(i32::try_from(desired).unwrap_or(i32::MAX))
            .honor_cooldown(false)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| AwsError::new("SetDesiredCapacity", error))
    }

    /// Ends an instance in its group (TerminateInstanceInAutoScalingGroup). The call is never repeated by itself: each
    /// one may lower what the group aims at. Whether one whose answer was lost took effect, the group shows.
    pub async fn terminate(
        &self,
        instance: &InstanceId,
        lowers_desired: bool,
    ) -> Result<Ended, AwsError> {
        let once = config::Builder::new().retry_config(RetryConfig::disabled());
        let answer = self
            .client
            .terminate_instance_in_auto_scaling_group()
            .instance_id(instance.as_str())
            .should_decrement_desired_capacity(lowers_desired)
            .customize()
            .config_override(once)
            .send()
            .await
            .map_err(|error| AwsError::new("TerminateInstanceInAutoScalingGroup", error));
        match answer {
            Ok(_) => Ok(Ended::Done),
            Err(error) => refused(error),
        }
    }

    /// Protects instances from scale-in (SetInstanceProtection). A call takes all of them or none.
    pub async fn protect(&self, name: &str, instances: &[InstanceId]) -> Result<(), AwsError> {
        for together in instances.chunks(MOST_PROTECTED) {
            let ids = together.iter().map(|id| id.as_str().to_owned()).collect();
            self.client
                .set_instance_protection()
                .auto_scaling_group_name(name)
                .set_instance_ids(Some(ids))
                .protected_from_scale_in(true)
                .send()
                .await
                .map_err(|error| AwsError::new("SetInstanceProtection", error))?;
        }
        Ok(())
    }

    /// Takes settings out of the group that endanger machines in use (UpdateAutoScalingGroup, SuspendProcesses).
    pub async fn repair(&self, name: &str, dangers: &[Danger]) -> Result<(), AwsError> {
        let is_unprotected = dangers.contains(&Danger::NewInstancesUnprotected);
        let has_lifetime = dangers.contains(&Danger::MaxInstanceLifetime);
        if is_unprotected || has_lifetime {
            self.client
                .update_auto_scaling_group()
                .auto_scaling_group_name(name)
                .set_new_instances_protected_from_scale_in(is_unprotected.then_some(true))
                // 0 clears it.
                .set_max_instance_lifetime(has_lifetime.then_some(0))
                .send()
                .await
                .map_err(|error| AwsError::new("UpdateAutoScalingGroup", error))?;
        }
        let processes: Vec<String> = dangers.iter().copied().filter_map(process).collect();
        if !processes.is_empty() {
            self.client
                .suspend_processes()
                .auto_scaling_group_name(name)
                .set_scaling_processes(Some(processes))
                .send()
                .await
                .map_err(|error| AwsError::new("SuspendProcesses", error))?;
        }
        Ok(())
    }
}

/// Auto Scaling has one code for all that it refuses; only its text tells.
fn refused(error: AwsError) -> Result<Ended, AwsError> {
    let text = error.to_string();
    match error.is("ValidationError") {
        true if text.contains("minSize") || text.contains("min size") => Ok(Ended::AtMinimum),
        true if text.contains("No managed instance found") => Ok(Ended::NotInGroup),
        _ => Err(error),
    }
}

fn process(danger: Danger) -> Option<String> {
    match danger {
        Danger::AzRebalance => Some(AZ_REBALANCE.to_owned()),
        Danger::ReplaceUnhealthy => Some(REPLACE_UNHEALTHY.to_owned()),
        Danger::NewInstancesUnprotected | Danger::MaxInstanceLifetime | Danger::StagingFails => {
            None
        }
    }
}

fn group(name: &str, group: &AutoScalingGroup) -> Group {
    let count = |number: Option<i32>| {
        let number = number.and_then(|it| u32::try_from(it).ok());
        number.unwrap_or_default()
    };
    let suspended = group.suspended_processes().iter();
    Group {
        name: name.to_owned(),
        min: count(group.min_size()),
        max: count(group.max_size()),
        desired: count(group.desired_capacity()),
        protects_new: group.new_instances_protected_from_scale_in() == Some(true),
        max_lifetime_seconds: group
            .max_instance_lifetime()
            .and_then(|it| u32::try_from(it).ok()),
        suspended: suspended
            .filter_map(|it| it.process_name().map(str::to_owned))
            .collect(),
        members: group.instances().iter().filter_map(member).collect(),
    }
}

fn member(instance: &Instance) -> Option<Member> {
    let health = instance.health_status().unwrap_or_default();
    Some(Member {
        instance: instance.instance_id()?.parse().ok()?,
        lifecycle: lifecycle(instance.lifecycle_state()?.as_str()),
        healthy: !health.eq_ignore_ascii_case("unhealthy"),
        is_protected: instance.protected_from_scale_in() == Some(true),
    })
}

/// Auto Scaling user guide, "Instance lifecycle". What it does not know yet is left to whoever does.
fn lifecycle(state: &str) -> Lifecycle {
    match state.split(':').next().unwrap_or_default() {
        "Pending" => Lifecycle::Pending,
        "InService" => Lifecycle::InService,
        "Terminating" | "Terminated" | "Detaching" | "Detached" => Lifecycle::Leaving,
        _ => Lifecycle::Aside,
    }
}
