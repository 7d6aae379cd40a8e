//! RunInstances, as the record's plan says.

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceInterruptionBehavior, InstanceMarketOptionsRequest, InstanceMetadataOptionsRequest,
    InstanceType, LaunchTemplateSpecification, MarketType, ResourceType, SpotInstanceType,
    SpotMarketOptions, Tag, TagSpecification, VolumeType,
};
use haulout_domain::{
    launch::SecurityGroupId,
    machine::{InstanceFacts, Machine},
    naming::{MANAGED_BY, TAG_ATTEMPT, TAG_DEPLOYMENT, TAG_MACHINE, TAG_MANAGED_BY, TAG_NAME},
    plan::{LaunchPlan, RootVolume},
    status::Market,
};

use super::{Compute, facts::facts};
use crate::error::AwsError;

impl Compute {
    /// Launches the machine's instance (RunInstances). Repeating it with the same attempt answers the same
    /// instance: the client token and every parameter derive from the record.
    pub async fn launch(
        &self,
        machine: &Machine,
        plan: &LaunchPlan,
    ) -> Result<InstanceFacts, AwsError> {
        const OPERATION: &str = "RunInstances";
        let template = plan.template.as_ref().map(|(id, version)| {
            LaunchTemplateSpecification::builder()
                .launch_template_id(id.as_str())
                .version(version.to_string())
                .build()
        });
        let profile = plan
            .instance_profile
            .as_ref()
            .map(|arn| IamInstanceProfileSpecification::builder().arn(arn).build());
        let metadata = plan.require_imds_v2.then(|| {
            InstanceMetadataOptionsRequest::builder()
                .http_tokens(HttpTokensState::Required)
                .build()
        });
        let user_data = machine.launch.user_data.as_ref();
        let answer = self
            .client
            .run_instances()
            .min_count(1)
            .max_count(1)
            .client_token(machine.client_token())
            .set_launch_template(template)
            .set_image_id(plan.ami.clone().map(String::from))
            .set_instance_type(
                plan.instance_type
                    .as_ref()
                    .map(|it| InstanceType::from(it.as_str())),
            )
            .set_subnet_id(plan.offer.subnet_id.clone().map(String::from))
            .set_security_group_ids(groups(machine, plan))
            .set_key_name(plan.key_name.clone().map(String::from))
            .set_iam_instance_profile(profile)
            .set_metadata_options(metadata)
            .set_block_device_mappings(plan.root.as_ref().map(|root| vec![mapping(root)]))
            .set_user_data(user_data.map(|data| data.as_base64().to_owned()))
            .set_instance_market_options(market(plan.market()))
            .set_tag_specifications(Some(self.tag_specifications(machine, plan.market())))
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, error))?;
        answer
            .instances()
            .first()
            .and_then(facts)
            .ok_or_else(|| AwsError::incomplete(OPERATION, "an instance"))
    }

    fn tag_specifications(&self, machine: &Machine, market: Market) -> Vec<TagSpecification> {
        let mut resources = vec![ResourceType::Instance, ResourceType::Volume];
        if market == Market::Spot {
            resources.push(ResourceType::SpotInstancesRequest);
        }
        let attempt = machine.attempt.to_string();
        let ours = [
            (TAG_NAME, machine.name.as_str()),
            (TAG_MANAGED_BY, MANAGED_BY),
            (TAG_DEPLOYMENT, &self.deployment),
            (TAG_MACHINE, machine.id.as_str()),
            (TAG_ATTEMPT, &attempt),
        ];
        let tags: Vec<Tag> = ours
            .into_iter()
            .chain(machine.launch.tags.iter())
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect();
        resources
            .into_iter()
            .map(|resource| {
                TagSpecification::builder()
                    .resource_type(resource)
                    .set_tags(Some(tags.clone()))
                    .build()
            })
            .collect()
    }
}

/// The plan's groups and the machine's own; the template's when there are none.
fn groups(machine: &Machine, plan: &LaunchPlan) -> Option<Vec<String>> {
    let own = machine
        .own_group
        .as_ref()
        .and_then(|group| group.id.clone());
    let groups: Vec<String> = plan
        .security_group_ids
        .iter()
        .cloned()
        .chain(own)
        .map(SecurityGroupId::into)
        .collect();
    (!groups.is_empty()).then_some(groups)
}

fn mapping(root: &RootVolume) -> BlockDeviceMapping {
    let volume = EbsBlockDevice::builder()
        .volume_size(i32::try_from(root.gib).unwrap_or(i32::MAX))
        .volume_type(VolumeType::from(root.volume_type.as_str()))
        .encrypted(true)
        .delete_on_termination(true)
        .build();
    BlockDeviceMapping::builder()
        .device_name(&root.device)
        .ebs(volume)
        .build()
}

/// A one-time request: a persistent one would launch again by itself, untagged and unseen.
fn market(market: Market) -> Option<InstanceMarketOptionsRequest> {
    let Market::Spot = market else {
        return None;
    };
    let options = SpotMarketOptions::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate)
        .build();
    Some(
        InstanceMarketOptionsRequest::builder()
            .market_type(MarketType::Spot)
            .spot_options(options)
            .build(),
    )
}
