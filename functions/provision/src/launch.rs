//! The step that brings an instance up: plan the attempt, make its security group, RunInstances; or, for a
//! machine that was stopped, StartInstances. What EC2 has no room for is tried elsewhere, as another attempt.

use haulout_aws::error::AwsError;
use haulout_domain::{
    aws_code::{self, FailOver, Meaning},
    failure::{Failure, FailureCode},
    image::{ImageFacts, ImageKind},
    launch::{InstanceType, SubnetId},
    machine::Machine,
    offer::{self, Offer, Places, Tried},
    plan::{Basis, LaunchPlan, TemplateFacts},
    poll::Awaiting,
    status::{Market, Status},
    transition::Next,
};

use crate::{
    Provision, StepError,
    step::{AT_ONCE, instance_id},
};

/// EC2 lets go of about two launches a second.
const ELSEWHERE: Next = Next::Launch { wait_seconds: 1 };

impl Provision {
    pub(crate) async fn launch(&self, machine: &Machine, cycle: u32) -> Result<Next, StepError> {
        if machine.moved_on(cycle).is_some() {
            return Ok(AT_ONCE);
        }
        match machine.status {
            Status::Starting => self.start_again(machine).await,
            Status::WaitingForInstance if machine.instance_id.is_none() => {
                Box::pin(self.launch_attempt(machine, cycle)).await
            }
            _ => Ok(AT_ONCE),
        }
    }

    async fn launch_attempt(&self, machine: &Machine, cycle: u32) -> Result<Next, StepError> {
        let plan = match &machine.plan {
            Some(plan) => plan.clone(),
            None => self.plan(machine).await?,
        };
        let now = self.clock.now();
        let wants_group = machine.launch.own_group_cidr.is_some();
        let requested = self
            .change(machine, |machine| {
                let goes_on = machine.moved_on(cycle).is_none() && machine.instance_id.is_none();
                if goes_on {
                    machine.planned(plan.clone(), now);
                    machine.launch_requested(now);
                    if wants_group {
                        machine.group_requested(now);
                    }
                }
                goes_on
            })
            .await?;
        let Some((machine, true)) = requested else {
            return Ok(AT_ONCE);
        };
        let machine = self.with_group(machine).await?;
        // Another execution may have planned first: its plan counts.
        let plan = machine.plan.clone().unwrap_or(plan);
        let facts = match self.compute.launch(&machine, &plan).await {
            Ok(facts) => facts,
            Err(error) => return self.launch_refused(&machine, plan.offer, error).await,
        };
        tracing::info!(instance_id = %facts.id, offer = %plan.offer, "launched");
        let now = self.clock.now();
        let kept = self
            .change(&machine, |machine| machine.launched(facts.clone(), now))
            .await?;
        if kept.is_none() {
            // The record went on to another attempt, or is gone: nobody else would look after this instance.
            tracing::warn!(instance_id = %facts.id, "terminating what no record explains");
            self.compute.terminate(&facts.id).await?;
            return Ok(AT_ONCE);
        }
        Ok(Next::Done {
            wait_seconds: machine.wait_for(Awaiting::Instance, now),
        })
    }

    /// Settles what the attempt launches.
    async fn plan(&self, machine: &Machine) -> Result<LaunchPlan, StepError> {
        let spec = &machine.launch;
        let template = match &spec.launch_template_id {
            Some(id) => Some(self.catalog.template(id).await?),
            None => None,
        };
        let template = template.as_ref();
        spec.ensure_combinable(template)?;
        let basis = spec.basis(template, &self.defaults)?;
        let offer = self.offer(machine, &basis, template).await?;
        let image = self.image(&basis, &offer).await?;
        let plan = LaunchPlan::new(
            spec,
            &basis,
            offer,
            template,
            image.as_ref(),
            &self.defaults,
        )?;
        Ok(plan)
    }

    /// The best place that EC2 has not refused to this machine.
    async fn offer(
        &self,
        machine: &Machine,
        basis: &Basis,
        template: Option<&TemplateFacts>,
    ) -> Result<Offer, StepError> {
        let spec = &machine.launch;
        let subnets: Vec<SubnetId> = offer::subnets(spec, template, &self.defaults)
            .into_iter()
            .flatten()
            .collect();
        let mut places = Places::default();
        if !subnets.is_empty() {
            let known = self.catalog.subnets(&subnets).await?;
            places.zones = known
                .into_iter()
                .map(|(subnet, facts)| (subnet, facts.zone))
                .collect();
        }
        if spec.market == Market::Spot && places.zones.len() > 1 {
            let types: Vec<InstanceType> = if basis.instance_types.is_empty() {
                basis.known_type.iter().cloned().collect()
            } else {
                basis.instance_types.clone()
            };
            let zones: Vec<String> = places.zones.values().cloned().collect();
            places.spot_prices = self.catalog.spot_prices(&types, &zones).await;
        }
        let all = offer::offers(spec, basis, template, &self.defaults, &places);
        places.avoided = self.store.avoided(&all, self.clock.now()).await?;
        let offers = offer::offers(spec, basis, template, &self.defaults, &places);
        Ok(offer::next(offers, &machine.tried)?)
    }

    /// The image the offer's type gets.
    async fn image(&self, basis: &Basis, offer: &Offer) -> Result<Option<ImageFacts>, StepError> {
        let ami = if let Some(ami) = basis.image.ami() {
            ami.clone()
        } else {
            let named = offer.instance_type.as_ref();
            let kind = named.map_or(ImageKind::AmazonLinux, ImageKind::for_type);
            self.catalog.newest(kind, basis.architecture).await?
        };
        Ok(Some(self.catalog.image(&ami).await?))
    }

    /// Makes the security group that was asked for, or finds it where its making was not answered.
    async fn with_group(&self, machine: Machine) -> Result<Machine, StepError> {
        let (Some(cidr), Some(group)) = (machine.launch.own_group_cidr, &machine.own_group) else {
            return Ok(machine);
        };
        if group.id.is_some() {
            return Ok(machine);
        }
        let vpc = match machine
            .plan
            .as_ref()
            .and_then(|plan| plan.offer.subnet_id.clone())
        {
            Some(subnet) => {
                let known = self.catalog.subnets(std::slice::from_ref(&subnet)).await?;
                known.get(&subnet).map(|facts| facts.vpc_id.clone())
            }
            None => None,
        };
        let id = self.groups.ensure(&machine, cidr, vpc.as_deref()).await?;
        let now = self.clock.now();
        let made = self
            .change(&machine, |machine| machine.group_made(id.clone(), now))
            .await?;
        match made {
            Some((machine, ())) => Ok(machine),
            None => Err(Failure::new(
                FailureCode::RecordConflict,
                "the record went on while its security group was made",
            )
            .into()),
        }
    }

    /// EC2 refused the launch: for good, or only here.
    async fn launch_refused(
        &self,
        machine: &Machine,
        offer: Offer,
        error: AwsError,
    ) -> Result<Next, StepError> {
        let code = error.code.as_deref().unwrap_or_default();
        let fail_over = aws_code::fail_over(code);
        let Meaning::Final(failure) = error.meaning else {
            return Err(error.into());
        };
        if fail_over == FailOver::None {
            return Err(error.into());
        }
        let now = self.clock.now();
        let tried = Tried::new(offer, code, fail_over, failure, now);
        if self.try_elsewhere(machine, tried).await? {
            Ok(ELSEWHERE)
        } else {
            Err(error.into())
        }
    }

    /// The instance came and went for lack of capacity: EC2 sometimes notices only after RunInstances.
    pub(crate) async fn launch_elsewhere(
        &self,
        machine: &Machine,
        cycle: u32,
        failure: &Failure,
    ) -> Result<Next, StepError> {
        let (Some(plan), Ok(code)) = (&machine.plan, failure.code.parse()) else {
            return Err(failure.clone().into());
        };
        if machine.moved_on(cycle).is_some() {
            return Ok(AT_ONCE);
        }
        let now = self.clock.now();
        let offer = plan.offer.clone();
        let tried = Tried::new(offer, &failure.code, FailOver::Elsewhere, code, now).after_launch();
        if self.try_elsewhere(machine, tried).await? {
            Ok(ELSEWHERE)
        } else {
            Err(failure.clone().into())
        }
    }

    async fn try_elsewhere(&self, machine: &Machine, tried: Tried) -> Result<bool, StepError> {
        let now = self.clock.now();
        tracing::warn!(offer = %tried.offer, code = tried.code, "refused by EC2; trying elsewhere");
        self.store.avoid(&tried.offer, now).await?;
        let went_on = self
            .change(machine, |machine| machine.refused(tried.clone(), now))
            .await?;
        // A record that moved on meanwhile is looked at by the next step.
        Ok(went_on.is_none_or(|(_, went_on)| went_on))
    }

    /// Starts a stopped instance. One that EC2 still stops is asked again.
    async fn start_again(&self, machine: &Machine) -> Result<Next, StepError> {
        let id = instance_id(machine)?;
        match self.compute.start(id).await {
            Ok(()) => Ok(Next::Done {
                wait_seconds: machine.wait_for(Awaiting::Instance, self.clock.now()),
            }),
            Err(mut error) => {
                if error.meaning == Meaning::Final(FailureCode::AwsError) {
                    error.meaning = Meaning::Final(FailureCode::StartRefused);
                }
                Err(error.into())
            }
        }
    }
}
