//! What an attempt launches: the request, completed with what the template, the image and the deployment say,
//! for one place and market. Frozen in the record before RunInstances is called, because a client token
//! repeated with other parameters is an error at EC2; another place is another attempt.
//!
//! Precedence: what the request names; then its launch template, or else the deployment's; then the
//! deployment's defaults: newest image, first default type of the architecture, 20 GiB gp3.

use serde::{Deserialize, Serialize};

use crate::{
    failure::{Failure, FailureCode},
    guard::{GuardRails, Wanted},
    image::ImageFacts,
    launch::{AmiId, InstanceType, KeyName, LaunchTemplateId, SecurityGroupId, SubnetId},
    machine::LaunchSpec,
    offer::Offer,
    status::{Architecture, Market, VolumeType},
};

/// The root volume of a machine launched without a template, in GiB, unless its image needs more.
pub const DEFAULT_VOLUME_GIB: u32 = 20;

/// What the deployment says of launches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaunchDefaults {
    /// Template of requests that name none.
    pub launch_template_id: Option<LaunchTemplateId>,
    /// Types of requests that name none, in the order they are tried.
    pub instance_types: Vec<InstanceType>,
    /// Subnets of requests that name none, in the order they are tried; EC2 chooses when there are none.
    pub subnets: Vec<SubnetId>,
    /// Key pair of requests that name none.
    pub key_name: Option<KeyName>,
    /// ARN of the instance profile of launches without a template. Without one, SSM would never see them.
    pub instance_profile: Option<String>,
    /// What is allowed.
    pub guard_rails: GuardRails,
}

/// What a version of a launch template says (EC2 API, DescribeLaunchTemplateVersions).
#[expect(clippy::struct_excessive_bools, reason = "facts, each its own")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateFacts {
    /// Its id.
    pub id: LaunchTemplateId,
    /// The version's number: the default one may be another tomorrow.
    pub version: u64,
    /// The AMI it names.
    #[serde(default)]
    pub ami: Option<AmiId>,
    /// The type it names.
    #[serde(default)]
    pub instance_type: Option<InstanceType>,
    /// The security groups it names.
    #[serde(default)]
    pub security_group_ids: Vec<SecurityGroupId>,
    /// It describes network interfaces: subnet and groups are theirs then, and cannot be given beside them.
    #[serde(default)]
    pub has_interfaces: bool,
    /// It names a subnet.
    #[serde(default)]
    pub has_subnet: bool,
    /// The size of the largest volume it describes, in GiB.
    #[serde(default)]
    pub volume_gib: Option<u32>,
    /// It asks for IMDSv2 by itself.
    #[serde(default)]
    pub requires_imds_v2: bool,
    /// It asks for the spot market by itself.
    #[serde(default)]
    pub is_spot: bool,
}

/// A root volume; always encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootVolume {
    /// The device name of the image's root.
    pub device: String,
    /// Its size in GiB.
    pub gib: u32,
    /// Its type.
    pub volume_type: VolumeType,
}

/// What an attempt launches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchPlan {
    /// The launch template and the number of its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<(LaunchTemplateId, u64)>,
    /// The AMI, where the template's is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami: Option<AmiId>,
    /// The type, where the template's is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<InstanceType>,
    /// Where, and in which market.
    pub offer: Offer,
    /// The security groups, without the machine's own; the template's when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_group_ids: Vec<SecurityGroupId>,
    /// The root volume; the template's when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootVolume>,
    /// The key pair; the template's when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_name: Option<KeyName>,
    /// ARN of the instance profile; the template's when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_profile: Option<String>,
    /// IMDSv2 must be asked for, because no template does.
    pub require_imds_v2: bool,
    /// Who may log in, by the image's family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_user: Option<String>,
}

/// AMI and type of a machine, as far as request and template settle them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The types to try; empty when the template's is used.
    pub instance_types: Vec<InstanceType>,
    /// The type the machine will have in any case, for checks.
    pub known_type: Option<InstanceType>,
    /// The image: named, the template's, or to be chosen.
    pub image: ImageChoice,
    /// The architecture of all of it.
    pub architecture: Architecture,
}

/// Where the AMI comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageChoice {
    /// The request names it.
    Named(AmiId),
    /// The template does, and it fits.
    Templates(AmiId),
    /// The newest one for the type is chosen.
    Newest,
}

impl ImageChoice {
    /// The AMI, where it is settled.
    pub fn ami(&self) -> Option<&AmiId> {
        match self {
            Self::Named(ami) | Self::Templates(ami) => Some(ami),
            Self::Newest => None,
        }
    }
}

impl LaunchSpec {
    /// Settles type, architecture and where the AMI comes from.
    pub fn basis(
        &self,
        template: Option<&TemplateFacts>,
        defaults: &LaunchDefaults,
    ) -> Result<Basis, Failure> {
        let templates_type = template.and_then(|template| template.instance_type.clone());
        let fits = |it: &InstanceType| {
            self.architecture
                .is_none_or(|wanted| it.architecture() == wanted)
        };
        if let Some(named) = self.instance_type.as_ref().filter(|it| !fits(it)) {
            return Err(mismatch(named, "the architecture asked for"));
        }
        let (instance_types, known_type) = match (&self.instance_type, &templates_type) {
            (Some(named), _) => (vec![named.clone()], Some(named.clone())),
            (None, Some(it)) if fits(it) => (Vec::new(), Some(it.clone())),
            _ => {
                let types = default_types(self.architecture, &defaults.instance_types);
                (types.clone(), types.into_iter().next())
            }
        };
        let architecture = known_type
            .as_ref()
            .map_or(Architecture::X86, InstanceType::architecture);
        let keeps_templates_type = templates_type
            .as_ref()
            .is_some_and(|it| it.architecture() == architecture);
        let image = match (&self.ami, template.and_then(|t| t.ami.clone())) {
            (Some(named), _) => ImageChoice::Named(named.clone()),
            (None, Some(ami)) if keeps_templates_type || templates_type.is_none() => {
                ImageChoice::Templates(ami)
            }
            _ => ImageChoice::Newest,
        };
        Ok(Basis {
            instance_types,
            known_type,
            image,
            architecture,
        })
    }

    /// What of a request and its template excludes each other at EC2.
    pub fn ensure_combinable(&self, template: Option<&TemplateFacts>) -> Result<(), Failure> {
        let Some(template) = template.filter(|template| template.has_interfaces) else {
            return Ok(());
        };
        let given = [
            ("subnet_id", self.subnet_id.is_some()),
            ("security_group_ids", !self.security_group_ids.is_empty()),
            ("create_security_group", self.own_group_cidr.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((field, _)) => Err(Failure::new(
                FailureCode::ParameterInvalid,
                format!(
                    "{field} cannot be given beside launch template {}: it describes network interfaces, and theirs count",
                    template.id
                ),
            )),
            None => Ok(()),
        }
    }
}

/// The deployment's types of an architecture; of the first type's when none is asked for.
fn default_types(wanted: Option<Architecture>, configured: &[InstanceType]) -> Vec<InstanceType> {
    let wanted = wanted
        .or_else(|| configured.first().map(InstanceType::architecture))
        .unwrap_or(Architecture::X86);
    let mut types: Vec<InstanceType> = configured
        .iter()
        .filter(|it| it.architecture() == wanted)
        .cloned()
        .collect();
    if types.is_empty() {
        let usual = match wanted {
            Architecture::X86 => "t3.medium",
            Architecture::Arm => "t4g.medium",
        };
        types.extend(usual.parse());
    }
    types
}

/// An image and a type that do not go together; the text says so.
pub fn ensure_fits(image: &ImageFacts, instance_type: &InstanceType) -> Result<(), Failure> {
    match image.architecture {
        Some(architecture) if architecture == instance_type.architecture() => Ok(()),
        Some(architecture) => Err(mismatch(
            instance_type,
            &format!("AMI {}, which is for {architecture}", image.id),
        )),
        None => Err(Failure::new(
            FailureCode::AmiInvalid,
            format!("AMI {} is for neither x86_64 nor arm64", image.id),
        )),
    }
}

fn mismatch(instance_type: &InstanceType, with: &str) -> Failure {
    Failure::new(
        FailureCode::AmiInvalid,
        format!(
            "instance type {instance_type} is {} and does not fit {with}",
            instance_type.architecture()
        ),
    )
}

/// The root volume: what was asked for, what an image needs, or none where a template decides.
pub fn root_volume(
    spec: &LaunchSpec,
    template: Option<&TemplateFacts>,
    image: Option<&ImageFacts>,
) -> Result<Option<RootVolume>, Failure> {
    let is_asked_for = spec.storage_gb.is_some() || spec.volume_type.is_some();
    let (Some(image), true) = (image, template.is_none() || is_asked_for) else {
        return Ok(None);
    };
    let least = image.root_gib.unwrap_or(0);
    let templates = template.and_then(|template| template.volume_gib);
    let gib = match (spec.storage_gb, templates) {
        (Some(asked), _) if asked < least => {
            return Err(Failure::new(
                FailureCode::ParameterInvalid,
                format!(
                    "storage_gb is {asked}, and AMI {} needs at least {least}",
                    image.id
                ),
            ));
        }
        (Some(asked), _) => asked,
        (None, Some(templates)) => templates.max(least),
        (None, None) => DEFAULT_VOLUME_GIB.max(least),
    };
    Ok(Some(RootVolume {
        device: image
            .root_device
            .clone()
            .unwrap_or_else(|| "/dev/xvda".to_owned()),
        gib,
        volume_type: spec.volume_type.unwrap_or(VolumeType::Gp3),
    }))
}

impl LaunchPlan {
    /// Completes an offer to a plan, within the guard rails. `image` is the one to launch, where it is known.
    pub fn new(
        spec: &LaunchSpec,
        basis: &Basis,
        offer: Offer,
        template: Option<&TemplateFacts>,
        image: Option<&ImageFacts>,
        defaults: &LaunchDefaults,
    ) -> Result<Self, Failure> {
        let instance_type = offer.instance_type.clone();
        if let (Some(image), Some(instance_type)) = (image, &instance_type) {
            ensure_fits(image, instance_type)?;
        }
        let root = root_volume(spec, template, image)?;
        let volume_gib = root
            .as_ref()
            .map(|root| root.gib)
            .or(template.and_then(|template| template.volume_gib));
        // A template that asks for spot by itself gets it, whatever the offer says.
        let market = match template {
            Some(template) if template.is_spot => Market::Spot,
            _ => offer.market,
        };
        defaults
            .guard_rails
            .check(&Wanted {
                instance_type: instance_type.as_ref(),
                ami: image.map(|image| &image.id),
                market: Some(market),
                volume_gib,
                ttl_minutes: None,
            })
            .map_err(|violation| Failure::new(FailureCode::GuardRail, violation.to_string()))?;
        let is_templates_image = matches!(basis.image, ImageChoice::Templates(_));
        let has_template = template.is_some();
        Ok(Self {
            template: template.map(|template| (template.id.clone(), template.version)),
            ami: image
                .filter(|_| !is_templates_image)
                .map(|image| image.id.clone()),
            instance_type: instance_type.filter(|_| !basis.instance_types.is_empty()),
            security_group_ids: groups(spec, template),
            root,
            key_name: spec
                .key_name
                .clone()
                .or_else(|| defaults.key_name.clone().filter(|_| !has_template)),
            instance_profile: defaults.instance_profile.clone().filter(|_| !has_template),
            require_imds_v2: template.is_none_or(|template| !template.requires_imds_v2),
            login_user: image.and_then(ImageFacts::login_user).map(str::to_owned),
            offer,
        })
    }

    /// The market.
    pub fn market(&self) -> Market {
        self.offer.market
    }
}

/// Groups given at the launch replace the template's: beside an own group, the template's are named again.
fn groups(spec: &LaunchSpec, template: Option<&TemplateFacts>) -> Vec<SecurityGroupId> {
    if spec.security_group_ids.is_empty() && spec.own_group_cidr.is_some() {
        return template.map_or_else(Vec::new, |template| template.security_group_ids.clone());
    }
    spec.security_group_ids.clone()
}
