//! What is to be launched: the parameters that RunInstances and launch templates share, and how one overrides the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::errors;
use super::query::Params;
use super::tag_rules;
use crate::sim::answer::ApiError;
use crate::sim::instance::Tags;

/// A launch's parameters; what is absent comes from the launch template, or from EC2's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sim) struct LaunchSpec {
    pub(in crate::sim) image_id: Option<String>,
    pub(in crate::sim) instance_type: Option<String>,
    pub(in crate::sim) key_name: Option<String>,
    pub(in crate::sim) subnet_id: Option<String>,
    pub(in crate::sim) zone: Option<String>,
    pub(in crate::sim) security_group_ids: Vec<String>,
    /// Base64, as sent.
    pub(in crate::sim) user_data: Option<String>,
    /// Name or ARN.
    pub(in crate::sim) instance_profile: Option<String>,
    pub(in crate::sim) block_devices: Vec<BlockDevice>,
    /// By resource type.
    pub(in crate::sim) tags: BTreeMap<String, Tags>,
    /// `Some` asks for the spot market.
    pub(in crate::sim) spot: Option<SpotOptions>,
    /// The first network interface, when interfaces are given.
    pub(in crate::sim) interface: Option<Interface>,
    pub(in crate::sim) associate_public_ip: Option<bool>,
    pub(in crate::sim) http_tokens: Option<String>,
    pub(in crate::sim) shutdown_behavior: Option<String>,
    pub(in crate::sim) ebs_optimized: Option<bool>,
    pub(in crate::sim) disable_api_termination: Option<bool>,
}

/// A volume asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sim) struct BlockDevice {
    pub(in crate::sim) device: String,
    pub(in crate::sim) size_gib: Option<u32>,
    pub(in crate::sim) volume_type: Option<String>,
    pub(in crate::sim) delete_on_termination: Option<bool>,
    pub(in crate::sim) encrypted: Option<bool>,
}

/// What is said of the spot market.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sim) struct SpotOptions {
    pub(in crate::sim) max_price: Option<String>,
    pub(in crate::sim) interruption_behavior: Option<String>,
}

/// A network interface asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sim) struct Interface {
    pub(in crate::sim) subnet_id: Option<String>,
    pub(in crate::sim) security_group_ids: Vec<String>,
    pub(in crate::sim) associate_public_ip: Option<bool>,
}

impl LaunchSpec {
    /// Reads the parameters of RunInstances, or those below a launch template's data.
    pub(in crate::sim) fn read(params: &Params) -> Result<Self, ApiError> {
        let profile = params.below("IamInstanceProfile");
        let interface = interface(params)?;
        Ok(Self {
            image_id: params.text("ImageId"),
            instance_type: params.text("InstanceType"),
            key_name: params.text("KeyName"),
            subnet_id: params.text("SubnetId"),
            zone: params.text("Placement.AvailabilityZone"),
            security_group_ids: params.list("SecurityGroupId"),
            user_data: params.text("UserData"),
            instance_profile: profile.text("Name").or_else(|| profile.text("Arn")),
            block_devices: params
                .structures("BlockDeviceMapping")
                .iter()
                .map(block_device)
                .collect::<Result<_, _>>()?,
            tags: tag_specifications(params)?,
            spot: spot(params)?,
            associate_public_ip: interface.as_ref().and_then(|i| i.associate_public_ip),
            interface,
            http_tokens: params.text("MetadataOptions.HttpTokens"),
            shutdown_behavior: params.text("InstanceInitiatedShutdownBehavior"),
            ebs_optimized: params.parsed("EbsOptimized")?,
            disable_api_termination: params.parsed("DisableApiTermination")?,
        })
    }

    /// These parameters where given, else the template's. Volumes override each other by device, tags by key.
    pub(super) fn over(self, template: Self) -> Self {
        let mut block_devices = template.block_devices;
        for device in self.block_devices {
            match block_devices.iter_mut().find(|d| d.device == device.device) {
                Some(existing) => *existing = device.over(existing.clone()),
                None => block_devices.push(device),
            }
        }
        let mut tags = template.tags;
        for (resource_type, own) in self.tags {
            tags.entry(resource_type).or_default().extend(own);
        }
        Self {
            image_id: self.image_id.or(template.image_id),
            instance_type: self.instance_type.or(template.instance_type),
            key_name: self.key_name.or(template.key_name),
            subnet_id: self.subnet_id.or(template.subnet_id),
            zone: self.zone.or(template.zone),
            security_group_ids: either(self.security_group_ids, template.security_group_ids),
            user_data: self.user_data.or(template.user_data),
            instance_profile: self.instance_profile.or(template.instance_profile),
            block_devices,
            tags,
            spot: self.spot.or(template.spot),
            interface: self.interface.or(template.interface),
            associate_public_ip: self.associate_public_ip.or(template.associate_public_ip),
            http_tokens: self.http_tokens.or(template.http_tokens),
            shutdown_behavior: self.shutdown_behavior.or(template.shutdown_behavior),
            ebs_optimized: self.ebs_optimized.or(template.ebs_optimized),
            disable_api_termination: self
                .disable_api_termination
                .or(template.disable_api_termination),
        }
    }

    /// The subnet named, on the instance or on its interface.
    pub(super) fn subnet(&self) -> Option<&str> {
        self.interface
            .as_ref()
            .and_then(|i| i.subnet_id.as_deref())
            .or(self.subnet_id.as_deref())
    }

    /// The security groups named, on the instance or on its interface.
    pub(in crate::sim) fn groups(&self) -> &[String] {
        match &self.interface {
            Some(interface) => &interface.security_group_ids,
            None => &self.security_group_ids,
        }
    }
}

impl BlockDevice {
    fn over(self, template: Self) -> Self {
        Self {
            device: self.device,
            size_gib: self.size_gib.or(template.size_gib),
            volume_type: self.volume_type.or(template.volume_type),
            delete_on_termination: self
                .delete_on_termination
                .or(template.delete_on_termination),
            encrypted: self.encrypted.or(template.encrypted),
        }
    }
}

fn either<T>(own: Vec<T>, template: Vec<T>) -> Vec<T> {
    if own.is_empty() { template } else { own }
}

fn block_device(params: &Params) -> Result<BlockDevice, ApiError> {
    Ok(BlockDevice {
        device: params.required("DeviceName")?.to_owned(),
        size_gib: params.parsed("Ebs.VolumeSize")?,
        volume_type: params.text("Ebs.VolumeType"),
        delete_on_termination: params.parsed("Ebs.DeleteOnTermination")?,
        encrypted: params.parsed("Ebs.Encrypted")?,
    })
}

/// `TagSpecification.N`: tags by resource type.
pub(super) fn tag_specifications(params: &Params) -> Result<BTreeMap<String, Tags>, ApiError> {
    let mut tags: BTreeMap<String, Tags> = BTreeMap::new();
    for specification in params.structures("TagSpecification") {
        let resource_type = specification.required("ResourceType")?.to_owned();
        tags.entry(resource_type)
            .or_default()
            .extend(tag_rules::read(&specification)?);
    }
    Ok(tags)
}

fn spot(params: &Params) -> Result<Option<SpotOptions>, ApiError> {
    let market = params.below("InstanceMarketOptions");
    match market.get("MarketType") {
        None if market.is_empty() => return Ok(None),
        Some("spot") | None => {}
        Some(other) => {
            return Err(errors::invalid_value(
                other,
                "InstanceMarketOptions.MarketType",
            ));
        }
    }
    let options = market.below("SpotOptions");
    match options.get("SpotInstanceType") {
        None | Some("one-time") => {}
        Some("persistent") => {
            return Err(ApiError::client(
                "UnsupportedOperation",
                "Persistent spot requests are not simulated.",
            ));
        }
        Some(other) => return Err(errors::invalid_value(other, "SpotInstanceType")),
    }
    let interruption_behavior = options.text("InstanceInterruptionBehavior");
    if let Some(other) = interruption_behavior
        .as_deref()
        .filter(|b| *b != "terminate")
    {
        return Err(errors::combination(format!(
            "The interruption behavior '{other}' needs a persistent spot request."
        )));
    }
    Ok(Some(SpotOptions {
        max_price: options.text("MaxPrice"),
        interruption_behavior,
    }))
}

fn interface(params: &Params) -> Result<Option<Interface>, ApiError> {
    match params.structures("NetworkInterface").as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(Interface {
            subnet_id: one.text("SubnetId"),
            security_group_ids: one.list("SecurityGroupId"),
            associate_public_ip: one.parsed("AssociatePublicIpAddress")?,
        })),
        _ => Err(ApiError::client(
            "UnsupportedOperation",
            "More than one network interface is not simulated.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str) -> Result<LaunchSpec, ApiError> {
        LaunchSpec::read(&Params::from_form(form.as_bytes())?)
    }

    #[test]
    fn what_is_given_overrides_the_template() {
        let template = read(
            "ImageId=ami-1&InstanceType=t3.medium&SecurityGroupId.1=sg-1&BlockDeviceMapping.1.DeviceName=/dev/xvda\
             &BlockDeviceMapping.1.Ebs.VolumeSize=30&BlockDeviceMapping.1.Ebs.VolumeType=gp3\
             &TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=team\
             &TagSpecification.1.Tag.1.Value=a&TagSpecification.1.Tag.2.Key=Name&TagSpecification.1.Tag.2.Value=t",
        )
        .unwrap();
        let own = read(
            "InstanceType=g5.xlarge&BlockDeviceMapping.1.DeviceName=/dev/xvda&BlockDeviceMapping.1.Ebs.VolumeSize=100\
             &TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=o",
        )
        .unwrap();
        let merged = own.over(template);
        assert_eq!(merged.image_id.as_deref(), Some("ami-1"));
        assert_eq!(merged.instance_type.as_deref(), Some("g5.xlarge"));
        assert_eq!(merged.security_group_ids, ["sg-1"]);
        assert_eq!(merged.block_devices.len(), 1);
        assert_eq!(merged.block_devices[0].size_gib, Some(100));
        assert_eq!(merged.block_devices[0].volume_type.as_deref(), Some("gp3"));
        let tags: Vec<_> = merged.tags["instance"]
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(tags, [("Name", "o"), ("team", "a")]);
    }

    #[test]
    fn only_one_time_spot_is_simulated() {
        assert_eq!(read("ImageId=ami-1").unwrap().spot, None);
        assert!(
            read("InstanceMarketOptions.MarketType=spot")
                .unwrap()
                .spot
                .is_some()
        );
        let persistent = "InstanceMarketOptions.MarketType=spot\
                          &InstanceMarketOptions.SpotOptions.SpotInstanceType=persistent";
        assert_eq!(read(persistent).unwrap_err().code, "UnsupportedOperation");
        assert!(read("InstanceMarketOptions.MarketType=reserved").is_err());
    }
}
