//! Whether a request can become a machine, as far as that is known before anything is launched: what goes
//! together, what EC2 knows, and what the deployment allows. Provisioning checks it all again, so AWS's trouble
//! stands in the way only where a guard rail could be passed by it.

use haulout_api::Problem;
use haulout_aws::{error::AwsError, telemetry::error_chain};
use haulout_domain::{
    guard::{GuardRails, Wanted},
    image::{ImageFacts, ImageKind},
    launch::AmiId,
    machine::{LaunchSpec, MachineRequest},
    plan::{Basis, TemplateFacts, ensure_fits, root_volume},
    status::Market,
};

use crate::{Instances, refusal};

/// What is known of the launch template.
enum Template {
    /// None is used.
    Unused,
    /// What it says.
    Known(TemplateFacts),
    /// AWS did not say; provisioning will ask again.
    Unknown,
}

impl Instances {
    /// Checks a request, and settles its architecture where only its AMI tells it. A template that the request
    /// named is the caller's to mend; the deployment's is not.
    pub(crate) async fn check(
        &self,
        request: &mut MachineRequest,
        names_template: bool,
    ) -> Result<(), Problem> {
        self.check_rails(&as_asked(request))?;
        if request.launch.fallback_to_on_demand {
            self.check_rails(&Wanted {
                market: Some(Market::OnDemand),
                ..Wanted::default()
            })?;
        }
        let template = match self.template(&request.launch, names_template).await? {
            Template::Unused => None,
            Template::Known(facts) => Some(facts),
            Template::Unknown => return Ok(()),
        };
        let template = template.as_ref();
        let spec = &mut request.launch;
        spec.ensure_combinable(template).map_err(refusal::failure)?;
        let image = self.named_image(spec).await?;
        if let (None, None, None, Some(image)) = (
            template,
            &spec.instance_type,
            spec.architecture,
            image.as_ref(),
        ) {
            spec.architecture = image.architecture;
        }
        let basis = spec
            .basis(template, &self.settings.launch)
            .map_err(refusal::failure)?;
        let image = match image {
            Some(image) => Some(image),
            None => self.other_image(spec, &basis, names_template).await?,
        };
        self.check_whole(spec, &basis, template, image.as_ref())
    }

    /// What the machine would be, once template and image are known.
    fn check_whole(
        &self,
        spec: &LaunchSpec,
        basis: &Basis,
        template: Option<&TemplateFacts>,
        image: Option<&ImageFacts>,
    ) -> Result<(), Problem> {
        if let (Some(image), Some(instance_type)) = (image, &basis.known_type) {
            ensure_fits(image, instance_type).map_err(refusal::failure)?;
        }
        let root = root_volume(spec, template, image).map_err(refusal::failure)?;
        let volume_gib = root
            .map(|root| root.gib)
            .or(spec.storage_gb)
            .or(template.and_then(|template| template.volume_gib));
        let is_spot = template.is_some_and(|template| template.is_spot);
        self.check_rails(&Wanted {
            instance_type: basis.known_type.as_ref(),
            ami: image.map(|image| &image.id).or(basis.image.ami()),
            market: is_spot.then_some(Market::Spot),
            volume_gib,
            ttl_minutes: None,
        })
    }

    fn check_rails(&self, wanted: &Wanted<'_>) -> Result<(), Problem> {
        self.rails().check(wanted).map_err(|violation| {
            self.count("create", "refused_by_guard_rail");
            refusal::violation(&violation)
        })
    }

    fn rails(&self) -> &GuardRails {
        &self.settings.launch.guard_rails
    }

    async fn template(&self, spec: &LaunchSpec, is_named: bool) -> Result<Template, Problem> {
        let Some(id) = &spec.launch_template_id else {
            return Ok(Template::Unused);
        };
        let needed = self.rails().concern_templates();
        let facts = known(self.catalog.template(id).await, is_named, needed)?;
        Ok(facts.map_or(Template::Unknown, Template::Known))
    }

    /// The image the request names.
    async fn named_image(&self, spec: &LaunchSpec) -> Result<Option<ImageFacts>, Problem> {
        let Some(ami) = &spec.ami else {
            return Ok(None);
        };
        let needed = self.needs_image_size(spec);
        known(self.catalog.image(ami).await, true, needed)
    }

    /// The template's image; or the one to choose, where a guard rail is about it.
    async fn other_image(
        &self,
        spec: &LaunchSpec,
        basis: &Basis,
        names_template: bool,
    ) -> Result<Option<ImageFacts>, Problem> {
        let needs_size = self.needs_image_size(spec);
        let is_ruled = needs_size || !self.rails().amis.is_empty();
        let newest: AmiId;
        let ami = match (basis.image.ami(), &basis.known_type) {
            (Some(ami), _) => ami,
            (None, Some(instance_type)) if is_ruled => {
                let kind = ImageKind::for_type(instance_type);
                newest = self
                    .catalog
                    .newest(kind, basis.architecture)
                    .await
                    .map_err(refusal::not_checked)?;
                &newest
            }
            _ => return Ok(None),
        };
        known(
            self.catalog.image(ami).await,
            names_template,
            needs_size || basis.image.ami().is_none(),
        )
    }

    /// The root volume's size depends on the image, and there is a rule for it.
    fn needs_image_size(&self, spec: &LaunchSpec) -> bool {
        self.rails().max_volume_gib.is_some() && spec.storage_gb.is_none()
    }
}

/// What the request says by itself.
fn as_asked(request: &MachineRequest) -> Wanted<'_> {
    Wanted {
        instance_type: request.launch.instance_type.as_ref(),
        ami: request.launch.ami.as_ref(),
        market: Some(request.launch.market),
        volume_gib: request.launch.storage_gb,
        ttl_minutes: request.ttl_minutes,
    }
}

/// An answer of the catalog. What the caller named and AWS does not know is the caller's to mend. Anything else
/// is in the way only where the answer is needed.
fn known<T>(
    answer: Result<T, AwsError>,
    is_named: bool,
    is_needed: bool,
) -> Result<Option<T>, Problem> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_named && refusal::is_callers(&error) => Err(refusal::aws(error)),
        Err(error) if is_needed => Err(refusal::not_checked(error)),
        Err(error) => {
            tracing::warn!(
                error = error_chain(&error),
                "not checked before the launch; provisioning checks it"
            );
            Ok(None)
        }
    }
}
