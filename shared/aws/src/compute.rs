//! EC2: launching, looking at and ending instances.

use aws_config::SdkConfig;
use aws_sdk_ec2::{
    Client,
    types::{
        Filter, Instance, InstanceType, LaunchTemplateSpecification, Reservation, ResourceType,
        SummaryStatus, Tag, TagSpecification,
    },
};
use haulout_domain::{
    ids::{InstanceId, MachineId},
    machine::{InstanceFacts, Machine},
    naming::{MANAGED_BY, TAG_ATTEMPT, TAG_DEPLOYMENT, TAG_MACHINE, TAG_MANAGED_BY, TAG_NAME},
    status::InstanceState,
};
use jiff::Timestamp;

use crate::error::AwsError;

/// EC2, for the instances of one deployment.
#[derive(Debug, Clone)]
pub struct Compute {
    client: Client,
    deployment: String,
}

/// An instance in a listing, and the machine its tag names.
#[derive(Debug, Clone)]
pub struct Listed {
    /// From the tag `haulout:machine`; nothing if it does not hold a machine id.
    pub machine: Option<MachineId>,
    /// The instance.
    pub facts: InstanceFacts,
}

impl Compute {
    /// EC2, tagging and finding instances as this deployment's.
    pub fn new(config: &SdkConfig, deployment: impl Into<String>) -> Self {
        Self {
            client: Client::new(config),
            deployment: deployment.into(),
        }
    }

    /// Launches the machine's instance (RunInstances). Repeating it with the same attempt answers the same
    /// instance: the client token and every parameter derive from the record.
    pub async fn launch(&self, machine: &Machine) -> Result<InstanceFacts, AwsError> {
        const OPERATION: &str = "RunInstances";
        let template = machine.launch.launch_template_id.as_ref().map(|id| {
            LaunchTemplateSpecification::builder()
                .launch_template_id(id.as_str())
                .version("$Default")
                .build()
        });
        let instance_type = machine.launch.instance_type.as_ref();
        let answer = self
            .client
            .run_instances()
            .min_count(1)
            .max_count(1)
            .client_token(machine.client_token())
            .set_launch_template(template)
            .set_image_id(machine.launch.ami.clone().map(String::from))
            .set_instance_type(instance_type.map(|it| InstanceType::from(it.as_str())))
            .tag_specifications(self.tags(machine, ResourceType::Instance))
            .tag_specifications(self.tags(machine, ResourceType::Volume))
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, error))?;
        answer
            .instances()
            .first()
            .and_then(facts)
            .ok_or_else(|| AwsError::incomplete(OPERATION, "an instance"))
    }

    /// The instance as EC2 shows it; nothing when EC2 does not know it (yet, or any more).
    pub async fn describe(&self, id: &InstanceId) -> Result<Option<InstanceFacts>, AwsError> {
        let answer = self
            .client
            .describe_instances()
            .instance_ids(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::new("DescribeInstances", error));
        match answer {
            Ok(answer) => Ok(answer
                .reservations()
                .iter()
                .flat_map(Reservation::instances)
                .find_map(facts)),
            Err(error) if error.is("InvalidInstanceID.NotFound") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether both of EC2's status checks passed (DescribeInstanceStatus).
    pub async fn status_checks_passed(&self, id: &InstanceId) -> Result<bool, AwsError> {
        let answer = self
            .client
            .describe_instance_status()
            .instance_ids(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::new("DescribeInstanceStatus", error));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is("InvalidInstanceID.NotFound") => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(answer.instance_statuses().iter().any(|status| {
            [status.instance_status(), status.system_status()]
                .iter()
                .all(|check| check.and_then(|check| check.status()) == Some(&SummaryStatus::Ok))
        }))
    }

    /// The instances that carry the machine's tag: how one is found whose launch was never answered.
    pub async fn find(&self, machine: &MachineId) -> Result<Vec<InstanceFacts>, AwsError> {
        let listed = self
            .pages(vec![tag_filter(TAG_MACHINE, machine.as_str())])
            .await?;
        Ok(listed.into_iter().map(|listed| listed.facts).collect())
    }

    /// Every instance of this deployment, in all states, 1,000 a request.
    pub async fn list(&self) -> Result<Vec<Listed>, AwsError> {
        self.pages(Vec::new()).await
    }

    async fn pages(&self, mut filters: Vec<Filter>) -> Result<Vec<Listed>, AwsError> {
        filters.push(tag_filter(TAG_DEPLOYMENT, &self.deployment));
        let mut pages = self
            .client
            .describe_instances()
            .set_filters(Some(filters))
            .max_results(1_000)
            .into_paginator()
            .send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new("DescribeInstances", error))?;
            listed.extend(
                page.reservations()
                    .iter()
                    .flat_map(Reservation::instances)
                    .filter_map(|instance| {
                        Some(Listed {
                            machine: tag(instance, TAG_MACHINE).and_then(|id| id.parse().ok()),
                            facts: facts(instance)?,
                        })
                    }),
            );
        }
        Ok(listed)
    }

    /// Asks EC2 to end the instance (TerminateInstances). One that EC2 does not know counts as asked.
    pub async fn terminate(&self, id: &InstanceId) -> Result<(), AwsError> {
        let answer = self
            .client
            .terminate_instances()
            .instance_ids(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::new("TerminateInstances", error));
        match answer {
            Err(error) if !error.is("InvalidInstanceID.NotFound") => Err(error),
            _ => Ok(()),
        }
    }

    fn tags(&self, machine: &Machine, resource: ResourceType) -> TagSpecification {
        let attempt = machine.attempt.to_string();
        let tags = [
            (TAG_NAME, machine.name.as_str()),
            (TAG_MANAGED_BY, MANAGED_BY),
            (TAG_DEPLOYMENT, &self.deployment),
            (TAG_MACHINE, machine.id.as_str()),
            (TAG_ATTEMPT, &attempt),
        ];
        TagSpecification::builder()
            .resource_type(resource)
            .set_tags(Some(
                tags.iter()
                    .map(|(key, value)| Tag::builder().key(*key).value(*value).build())
                    .collect(),
            ))
            .build()
    }
}

fn tag_filter(key: &str, value: &str) -> Filter {
    Filter::builder()
        .name(format!("tag:{key}"))
        .values(value)
        .build()
}

fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    instance
        .tags()
        .iter()
        .find(|tag| tag.key() == Some(key))
        .and_then(Tag::value)
}

/// What we keep of EC2's description; nothing for one without an id or with a state this code does not know.
fn facts(instance: &Instance) -> Option<InstanceFacts> {
    let state: InstanceState = instance.state()?.name()?.as_str().parse().ok()?;
    let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let launch_time = instance
        .launch_time()
        .and_then(|at| Timestamp::from_second(at.secs()).ok());
    Some(InstanceFacts {
        id: instance.instance_id()?.parse().ok()?,
        state,
        state_reason: owned(instance.state_reason().and_then(|reason| reason.message())),
        ami_id: owned(instance.image_id()),
        instance_type: instance.instance_type().map(|it| it.as_str().to_owned()),
        architecture: instance.architecture().map(|it| it.as_str().to_owned()),
        availability_zone: owned(instance.placement().and_then(|it| it.availability_zone())),
        subnet_id: owned(instance.subnet_id()),
        public_ip: owned(instance.public_ip_address()),
        private_ip: owned(instance.private_ip_address()),
        security_group_id: owned(
            instance
                .security_groups()
                .first()
                .and_then(|group| group.group_id()),
        ),
        spot_request_id: owned(instance.spot_instance_request_id()),
        launch_time,
    })
}
