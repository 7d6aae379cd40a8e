//! StartInstances, StopInstances, TerminateInstances: all or nothing, and repeatable.

use super::capacity::check_start;
use super::errors;
use super::instance_xml::write_state;
use super::launch;
use super::query::Params;
use super::selection::check_known;
use super::xml::Xml;
use crate::sim::answer::ApiError;
use crate::sim::armed::{Behaviour, Faults, Target};
use crate::sim::autoscaling;
use crate::sim::instance::{Instance, State};
use crate::sim::lifecycle;
use crate::sim::state::Call;

/// What to do with an instance.
enum Change {
    Nothing,
    Apply,
}

pub(super) fn start_instances(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let (now, wall, config) = (call.now, call.wall, call.config);
    let target = Target::Query(params);
    change(
        call,
        params,
        |call, instance| match instance.state(now) {
            State::Stopped => {
                check_start(call, instance)?;
                Ok(Change::Apply)
            }
            State::Pending | State::Running => Ok(Change::Nothing),
            _ => Err(errors::wrong_state(&instance.id, "started")),
        },
        |faults, instance| {
            let boot = launch::boot(faults, config, &target);
            let habits = launch::habits(faults, config, &instance.spec, &target);
            lifecycle::start(instance, &boot, habits, now, wall);
        },
    )
}

pub(super) fn stop_instances(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let (now, config) = (call.now, call.config);
    let target = Target::Query(params);
    change(
        call,
        params,
        |_, instance| match instance.state(now) {
            _ if instance.is_spot() => Err(ApiError::client(
                "UnsupportedOperation",
                format!(
                    "You can't stop the Spot Instance '{}' because it is associated with a one-time Spot Instance \
                     request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
                    instance.id
                ),
            )),
            State::Running => Ok(Change::Apply),
            State::Stopping | State::Stopped => Ok(Change::Nothing),
            _ => Err(errors::wrong_state(&instance.id, "stopped")),
        },
        |faults, instance| {
            let delay = match faults.behaviour("stop", &target) {
                None => Some(config.stop_delay),
                Some(Behaviour::Slow(more)) => Some(config.stop_delay + more),
                Some(_) => None,
            };
            lifecycle::stop(instance, delay, now);
        },
    )
}

pub(super) fn terminate_instances(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let (now, config) = (call.now, call.config);
    change(
        call,
        params,
        |_, instance| {
            if instance.state(now).is_ending() {
                return Ok(Change::Nothing);
            }
            if instance.spec.disable_api_termination == Some(true) {
                return Err(ApiError::client(
                    "OperationNotPermitted",
                    format!(
                        "The instance '{}' may not be terminated. Modify its 'disableApiTermination' attribute and try \
                         again.",
                        instance.id
                    ),
                ));
            }
            Ok(Change::Apply)
        },
        |_, instance| lifecycle::terminate(instance, now, config),
    )
}

/// Decides for all instances named first, so that one refusal changes none of them.
fn change(
    call: &mut Call<'_>,
    params: &Params,
    decide: impl Fn(&Call<'_>, &Instance) -> Result<Change, ApiError>,
    apply: impl Fn(&mut Faults, &mut Instance),
) -> Result<Xml, ApiError> {
    let ids = params.list("InstanceId");
    if ids.is_empty() {
        return Err(errors::missing("InstanceId"));
    }
    check_known(call, &ids, |instance| instance.changeable_from)?;
    let mut decided = Vec::new();
    for id in &ids {
        if let Some(instance) = call.world.instances.get(id) {
            decided.push((id, instance.state(call.now), decide(call, instance)?));
        }
    }
    let mut xml = Xml::default();
    xml.list("instancesSet", decided, |xml, (id, previous, decision)| {
        if let (Change::Apply, Some(instance)) = (decision, call.world.instances.get_mut(id)) {
            apply(call.faults, instance);
            autoscaling::disturbed(call.world, id);
            call.world.touch();
        }
        let current = call
            .world
            .instances
            .get(id)
            .map_or(previous, |i| i.state(call.now));
        xml.value("instanceId", id);
        write_state(xml, "currentState", current);
        write_state(xml, "previousState", previous);
    });
    Ok(xml)
}
