//! What a launch template's default version says.

use aws_sdk_ec2::types::{
    LaunchTemplateHttpTokensState,
    LaunchTemplateInstanceNetworkInterfaceSpecification as Interface, LaunchTemplateVersion,
    MarketType, ResponseLaunchTemplateData,
};
use haulout_domain::{
    aws_code::Meaning,
    failure::FailureCode,
    launch::{AmiId, LaunchTemplateId},
    plan::TemplateFacts,
};
use jiff::SignedDuration;

use super::{Catalog, Life};
use crate::error::AwsError;

const OPERATION: &str = "DescribeLaunchTemplateVersions";
/// The version a launch uses that names none.
const DEFAULT_VERSION: &str = "$Default";
/// How an AMI reads that is named by an SSM parameter (EC2 user guide, "Use a Systems Manager parameter
/// instead of an AMI ID").
const BY_PARAMETER: &str = "resolve:";

/// Another version can become the default one at any time.
const TEMPLATE: Life = Life {
    fresh: SignedDuration::from_secs(60),
    usable: SignedDuration::from_secs(60),
    is_shared: false,
};

impl Catalog {
    /// What the template's default version says (EC2 API, DescribeLaunchTemplateVersions), as of a minute ago at most.
    pub async fn template(&self, id: &LaunchTemplateId) -> Result<TemplateFacts, AwsError> {
        let key = format!("template#{id}");
        let question = Box::pin(self.ask_template(id));
        self.cache.get(&key, TEMPLATE, question).await
    }

    async fn ask_template(&self, id: &LaunchTemplateId) -> Result<TemplateFacts, AwsError> {
        let version = self.ask_version(id, DEFAULT_VERSION, false).await?;
        let number = version
            .version_number()
            .and_then(|number| u64::try_from(number).ok())
            .ok_or_else(|| AwsError::incomplete(OPERATION, "the version's number"))?;
        let data = version.launch_template_data();
        let ami = match data.and_then(ResponseLaunchTemplateData::image_id) {
            None => None,
            Some(text) if text.starts_with(BY_PARAMETER) => {
                Some(self.ask_resolved_ami(id, number).await?)
            }
            Some(text) => text.parse().ok(),
        };
        let mut facts = facts(id, number, data);
        facts.ami = ami;
        Ok(facts)
    }

    /// The AMI that a version names by a parameter. Without it, the machine would get another image than the
    /// template's: an error is better.
    async fn ask_resolved_ami(
        &self,
        id: &LaunchTemplateId,
        number: u64,
    ) -> Result<AmiId, AwsError> {
        // EC2 resolves parameters only where one version is asked for by its number.
        let version = self.ask_version(id, &number.to_string(), true).await?;
        version
            .launch_template_data()
            .and_then(|data| data.image_id()?.parse().ok())
            .ok_or_else(|| {
                let mut error = AwsError::incomplete(OPERATION, "the AMI of the parameter");
                error.meaning = Meaning::Final(FailureCode::LaunchTemplateInvalid);
                error
            })
    }

    async fn ask_version(
        &self,
        id: &LaunchTemplateId,
        version: &str,
        resolve_alias: bool,
    ) -> Result<LaunchTemplateVersion, AwsError> {
        let answer = self
            .ec2
            .describe_launch_template_versions()
            .launch_template_id(id.as_str())
            .versions(version)
            .set_resolve_alias(resolve_alias.then_some(true))
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, error))?;
        answer
            .launch_template_versions
            .and_then(|versions| versions.into_iter().next())
            .ok_or_else(|| AwsError::incomplete(OPERATION, "the version"))
    }
}

/// All but the AMI.
fn facts(
    id: &LaunchTemplateId,
    version: u64,
    data: Option<&ResponseLaunchTemplateData>,
) -> TemplateFacts {
    let mut facts = TemplateFacts {
        id: id.clone(),
        version,
        ami: None,
        instance_type: None,
        security_group_ids: Vec::new(),
        has_interfaces: false,
        has_subnet: false,
        volume_gib: None,
        requires_imds_v2: false,
        is_spot: false,
    };
    let Some(data) = data else {
        return facts;
    };
    let interfaces = data.network_interfaces();
    let groups = interfaces
        .iter()
        .flat_map(Interface::groups)
        .chain(data.security_group_ids());
    for group in groups.filter_map(|group| group.parse().ok()) {
        if !facts.security_group_ids.contains(&group) {
            facts.security_group_ids.push(group);
        }
    }
    facts.has_interfaces = !interfaces.is_empty();
    // A template has no other place for a subnet.
    facts.has_subnet = interfaces
        .iter()
        .any(|interface| interface.subnet_id().is_some());
    facts.instance_type = data.instance_type().and_then(|it| it.as_str().parse().ok());
    facts.volume_gib = data
        .block_device_mappings()
        .iter()
        .filter_map(|mapping| u32::try_from(mapping.ebs()?.volume_size()?).ok())
        .max();
    facts.requires_imds_v2 = data.metadata_options().and_then(|it| it.http_tokens())
        == Some(&LaunchTemplateHttpTokensState::Required);
    facts.is_spot = data
        .instance_market_options()
        .and_then(|it| it.market_type())
        == Some(&MarketType::Spot);
    facts
}
