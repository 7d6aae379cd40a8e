//! The faults that are armed: which request each fits, how often it still strikes, and machines that misbehave.

use std::time::Duration;

use serde_json::Value;

use super::ec2::Params;
use super::fault::{Fault, FaultError, Match};

/// How much later a slow machine is unless told otherwise; simulated time.
const SLOW: Duration = Duration::from_mins(2);

/// How a machine misbehaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Never,
    Slow(Duration),
    Dies(Option<String>),
    Hang,
}

/// A request, as far as faults look at it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    Query(&'a Params),
    Json(&'a Value),
}

/// The faults that are armed, oldest first.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: Vec<Fault>,
}

impl Faults {
    pub(super) fn arm(&mut self, fault: Fault) -> Result<(), FaultError> {
        super::fault_body::check(&fault)?;
        self.armed.push(fault);
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.armed.clear();
    }

    pub(super) fn list(&self) -> Vec<Fault> {
        self.armed.clone()
    }

    /// The oldest fault that fits, struck once.
    pub(super) fn take(
        &mut self,
        service: &str,
        action: &str,
        target: &Target<'_>,
    ) -> Option<Fault> {
        let position = self.armed.iter().position(|fault| {
            fault.service == service
                && (fault.action == action || fault.action == "*")
                && fault
                    .matching
                    .as_ref()
                    .is_none_or(|matching| fits(matching, target))
        })?;
        let fault = self.armed.get_mut(position)?;
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            Some(self.armed.remove(position))
        } else {
            Some(fault.clone())
        }
    }

    /// The misbehaviour of a machine that is launched or sent a command by the request `target`.
    pub(super) fn behaviour(&mut self, action: &str, target: &Target<'_>) -> Option<Behaviour> {
        let fault = self.take("machine", action, target)?;
        Some(match fault.error.as_deref() {
            Some("slow") => Behaviour::Slow(fault.delay_or(SLOW)),
            Some("dies") => Behaviour::Dies(fault.reason),
            Some("hang") => Behaviour::Hang,
            _ => Behaviour::Never,
        })
    }
}

fn fits(matching: &Match, target: &Target<'_>) -> bool {
    match (matching, target) {
        (Match::Text(text), Target::Query(params)) => {
            let request: Vec<String> = params
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request.join("&").contains(text)
        }
        (Match::Text(text), Target::Json(body)) => body.to_string().contains(text),
        (Match::Fields(fields), Target::Query(params)) => fields.iter().all(|(name, value)| {
            let wanted = value.as_str().map_or_else(|| value.to_string(), Into::into);
            params.get(name) == Some(wanted.as_str())
        }),
        (Match::Fields(fields), Target::Json(body)) => {
            contains(body, &Value::Object(fields.clone()))
        }
    }
}

/// Whether `part` is in `whole`: of objects the members named, of lists each element somewhere.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part))),
        (Value::Array(whole), Value::Array(part)) => part
            .iter()
            .all(|part| whole.iter().any(|whole| contains(whole, part))),
        (whole, part) => whole == part,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params() -> Params {
        Params::from_form(
            b"Action=RunInstances&ClientToken=m-1&Placement.AvailabilityZone=us-east-1a",
        )
        .unwrap()
    }

    #[test]
    fn a_fault_strikes_as_often_as_told_then_is_spent() {
        let mut faults = Faults::default();
        faults
            .arm(Fault::new("ec2", "RunInstances", "RequestLimitExceeded").times(2))
            .unwrap();
        let (params, take) = (
            params(),
            |faults: &mut Faults, action: &str, params: &Params| {
                faults.take("ec2", action, &Target::Query(params)).is_some()
            },
        );
        assert!(!take(&mut faults, "DescribeInstances", &params));
        assert!(take(&mut faults, "RunInstances", &params));
        assert!(take(&mut faults, "RunInstances", &params));
        assert!(!take(&mut faults, "RunInstances", &params));
        assert_eq!(faults.list(), []);
    }

    #[test]
    fn a_match_looks_at_text_or_fields() {
        let (params, body) = (
            params(),
            json!({"InstanceIds": ["i-1", "i-2"], "Parameters": {"commands": ["ls"]}}),
        );
        let (query, json) = (Target::Query(&params), Target::Json(&body));
        let text = |text: &str| Match::Text(text.into());
        let fields = |value: Value| Match::Fields(value.as_object().unwrap().clone());
        assert!(fits(&text("ClientToken=m-1&"), &query));
        assert!(!fits(&text("m-2"), &query));
        assert!(fits(&text("\"ls\""), &json));
        assert!(fits(
            &fields(json!({"Placement.AvailabilityZone": "us-east-1a"})),
            &query
        ));
        assert!(!fits(
            &fields(json!({"Placement.AvailabilityZone": "us-east-1b"})),
            &query
        ));
        assert!(fits(
            &fields(json!({"InstanceIds": ["i-2"], "Parameters": {"commands": ["ls"]}})),
            &json
        ));
        assert!(!fits(&fields(json!({"InstanceIds": ["i-3"]})), &json));
    }
}
