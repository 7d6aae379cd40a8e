//! What a simulator is started with: delays, lags, images, subnets, launch templates, groups and capacity.

use std::path::PathBuf;
use std::time::Duration;

use super::image::Image;
use super::limits::Capacity;
use super::{Clock, Executor, LAUNCH_TEMPLATE_ID};

/// The account and region that simulated resources belong to. The account is the one of AWS's own examples.
pub(super) const ACCOUNT_ID: &str = "123456789012";
pub(super) const REGION: &str = "us-east-1";
pub(super) const VPC_ID: &str = "vpc-0a1b2c3d4e5f60001";
pub(super) const DEFAULT_SECURITY_GROUP: &str = "sg-0a1b2c3d4e5f60001";

/// Settings of a simulator. Durations are simulated time unless said otherwise.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The clock that machines live by.
    pub clock: Clock,
    /// What happens to the commands sent to machines.
    pub executor: Executor,
    /// Where the state is kept across restarts, as JSON; `None` forgets it.
    pub state_file: Option<PathBuf>,
    /// From launch (or start) to `running`.
    pub boot_delay: Duration,
    /// From `running` to the agent's registration with Systems Manager.
    pub registration_delay: Duration,
    /// From `running` to passed system and instance status checks.
    pub status_check_delay: Duration,
    /// From `stopping` to `stopped`.
    pub stop_delay: Duration,
    /// From `shutting-down` to `terminated`.
    pub terminate_delay: Duration,
    /// From the interruption notice to `shutting-down`; EC2 gives two minutes.
    pub interruption_notice: Duration,
    /// How long a terminated instance stays visible; EC2 keeps it about an hour.
    pub terminated_visible: Duration,
    /// From when an Auto Scaling group misses instances to their launch.
    pub asg_launch_delay: Duration,
    /// From SendCommand to the agent's start of the command.
    pub command_pickup_delay: Duration,
    /// From CancelCommand to `Cancelled`, for a command that runs ([`Executor::Scripted`] only).
    pub cancel_delay: Duration,
    /// How long a new instance is missing from Describe calls (eventual consistency).
    pub describe_lag: Duration,
    /// How long Start, Stop, Terminate and CreateTags do not know a new instance.
    pub change_lag: Duration,
    /// How long after SendCommand an invocation does not exist yet.
    pub invocation_lag: Duration,
    /// Whether agents register without an instance profile, as in an account with Default Host Management Configuration.
    pub default_host_management: bool,
    /// The images.
    pub images: Vec<Image>,
    /// The subnets, one or more a zone; the first of a zone is its default.
    pub subnets: Vec<Subnet>,
    /// The security groups' ids; the first is the default one.
    pub security_groups: Vec<String>,
    /// The key pairs' names.
    pub key_names: Vec<String>,
    /// The instance profiles' names; a `*` at the end stands for any ending.
    pub instance_profiles: Vec<String>,
    /// Launch templates that exist from the start.
    pub launch_templates: Vec<LaunchTemplateSeed>,
    /// Auto Scaling groups that exist from the start.
    pub auto_scaling_groups: Vec<AutoScalingGroupSeed>,
    /// Limits by zone and type; what is not listed is unlimited.
    pub capacity: Vec<Capacity>,
}

impl SimConfig {
    /// Realistic defaults, no lag, nothing kept.
    pub fn new(clock: Clock, executor: Executor) -> Self {
        Self {
            port: 0,
            clock,
            executor,
            state_file: None,
            boot_delay: Duration::from_secs(12),
            registration_delay: Duration::from_secs(13),
            status_check_delay: Duration::from_secs(30),
            stop_delay: Duration::from_secs(15),
            terminate_delay: Duration::from_secs(10),
            interruption_notice: Duration::from_mins(2),
            terminated_visible: Duration::from_hours(1),
            asg_launch_delay: Duration::from_secs(2),
            command_pickup_delay: Duration::from_millis(300),
            cancel_delay: Duration::from_millis(500),
            describe_lag: Duration::ZERO,
            change_lag: Duration::ZERO,
            invocation_lag: Duration::ZERO,
            default_host_management: true,
            images: Image::seeded(),
            subnets: Subnet::seeded(),
            security_groups: vec![DEFAULT_SECURITY_GROUP.into()],
            key_names: vec!["haulout-local".into(), "my_ec2_keypair".into()],
            instance_profiles: vec!["haulout*".into()],
            launch_templates: vec![LaunchTemplateSeed::default()],
            auto_scaling_groups: Vec::new(),
            capacity: Vec::new(),
        }
    }
}

/// A subnet.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// `subnet-` and 17 hexadecimal digits.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// The first three octets of its /24.
    pub prefix: [u8; 3],
}

impl Subnet {
    /// Three zones. Addresses come from 198.18.0.0/15 (RFC 2544, benchmarking), which reaches nobody's network.
    fn seeded() -> Vec<Self> {
        let subnet = |letter: char, third: u8| Self {
            id: format!("subnet-0a1b2c3d4e5f6000{letter}"),
            zone: format!("{REGION}{letter}"),
            prefix: [198, 18, third],
        };
        vec![subnet('a', 0), subnet('b', 1), subnet('c', 2)]
    }
}

/// A launch template that exists from the start.
#[derive(Clone, Debug)]
pub struct LaunchTemplateSeed {
    /// `lt-` and 17 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its data as the parameters of CreateLaunchTemplate's `LaunchTemplateData`, e.g. `("InstanceType", "t3.medium")`.
    pub data: Vec<(String, String)>,
}

impl Default for LaunchTemplateSeed {
    fn default() -> Self {
        let data = [
            ("ImageId", "ami-0a1b2c3d4e5f60001"),
            ("InstanceType", "t3.medium"),
            ("IamInstanceProfile.Name", "haulout-machine"),
            ("SecurityGroupId.1", DEFAULT_SECURITY_GROUP),
            ("MetadataOptions.HttpTokens", "required"),
            ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
            ("BlockDeviceMapping.1.Ebs.VolumeSize", "30"),
            ("BlockDeviceMapping.1.Ebs.VolumeType", "gp3"),
        ];
        Self {
            id: LAUNCH_TEMPLATE_ID.into(),
            name: "haulout-local".into(),
            data: data
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }
}

/// An Auto Scaling group that exists from the start.
#[derive(Clone, Debug, Default)]
pub struct AutoScalingGroupSeed {
    /// Its name.
    pub name: String,
    /// Its launch template, of which it uses the default version.
    pub launch_template_id: String,
    /// Its subnets; none stands for all there are.
    pub subnets: Vec<String>,
    /// The fewest instances it may have.
    pub min: u32,
    /// The most instances it may have.
    pub max: u32,
    /// How many it has.
    pub desired: u32,
    /// A scale-in does not take its new instances.
    pub new_instances_protected: bool,
    /// The names of the processes that are suspended, e.g. `ReplaceUnhealthy`.
    pub suspended_processes: Vec<String>,
}
