//! A fault as it arrives: JSON whose every field is checked, so that a slip of the pen is not a test that passes.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fault::{Fault, FaultError, Match};
use super::{autoscaling, cloudwatch, ec2, ssm};

/// Machine actions, and the errors each may have.
const MACHINE: [(&str, &[&str]); 5] = [
    ("boot", &["never", "slow", "dies"]),
    ("register", &["never", "slow"]),
    ("status", &["never", "slow"]),
    ("stop", &["never", "slow"]),
    ("command", &["never", "slow", "dies", "hang"]),
];

/// Reads a fault; the error names the field.
pub(super) fn read(body: &[u8]) -> Result<Fault, FaultError> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| wrong("body", format!("a JSON object is expected: {error}")))?;
    let fault = Fault {
        service: required(&mut fields, "service")?,
        action: required(&mut fields, "action")?,
        error: optional(&mut fields, "error", "a text")?,
        http_status: optional(&mut fields, "http_status", "a number from 400 to 599")?,
        times: optional(&mut fields, "times", "a number from 1 up")?.unwrap_or(1),
        after_effect: optional(&mut fields, "after_effect", "true or false")?.unwrap_or(false),
        matching: matching(&mut fields)?,
        delay_ms: optional(&mut fields, "delay_ms", "a number of milliseconds")?,
        reason: optional(&mut fields, "reason", "a text")?,
    };
    match fields.keys().next() {
        Some(unknown) => Err(wrong(
            unknown,
            "unknown field; known are service, action, error, http_status, times, after_effect, match, delay_ms, reason",
        )),
        None => Ok(fault),
    }
}

/// Refuses faults that could never strike, or not as meant.
pub(super) fn check(fault: &Fault) -> Result<(), FaultError> {
    if fault.times == 0 {
        return Err(wrong("times", "must be at least 1"));
    }
    if fault
        .http_status
        .is_some_and(|status| !(400..=599).contains(&status))
    {
        return Err(wrong("http_status", "must be from 400 to 599"));
    }
    match fault.service.as_str() {
        "machine" => check_machine(fault),
        "ec2" => check_call(
            fault,
            &ec2::ACTIONS.iter().map(|a| a.name).collect::<Vec<_>>(),
        ),
        "autoscaling" => check_call(
            fault,
            &autoscaling::ACTIONS
                .iter()
                .map(|a| a.name)
                .collect::<Vec<_>>(),
        ),
        "ssm" => check_call(
            fault,
            &ssm::ACTIONS.iter().map(|a| a.name).collect::<Vec<_>>(),
        ),
        "cloudwatch" => check_call(
            fault,
            &cloudwatch::ACTIONS
                .iter()
                .map(|a| a.name)
                .collect::<Vec<_>>(),
        ),
        other => Err(wrong(
            "service",
            format!(
                "'{other}' is not simulated; known are ec2, autoscaling, ssm, cloudwatch, machine"
            ),
        )),
    }
}

fn check_call(fault: &Fault, actions: &[&str]) -> Result<(), FaultError> {
    if fault.action != "*" && !actions.contains(&fault.action.as_str()) {
        let message = format!(
            "'{}' is not simulated; known are *, {}",
            fault.action,
            actions.join(", ")
        );
        return Err(wrong("action", message));
    }
    if fault.reason.is_some() {
        return Err(wrong(
            "reason",
            "only a machine that dies while booting has one",
        ));
    }
    match &fault.error {
        None if fault.delay_ms.is_none() => Err(wrong(
            "error",
            "give an error, or delay_ms for a slow answer",
        )),
        None if fault.after_effect => Err(wrong(
            "after_effect",
            "a fault without an error always has its effect",
        )),
        Some(code) if !is_code(code) => Err(wrong(
            "error",
            "an error code is letters, digits, dots and _",
        )),
        _ => Ok(()),
    }
}

fn check_machine(fault: &Fault) -> Result<(), FaultError> {
    let Some((_, errors)) = MACHINE.iter().find(|(action, _)| *action == fault.action) else {
        let known: Vec<_> = MACHINE.iter().map(|(action, _)| *action).collect();
        return Err(wrong(
            "action",
            format!("a machine has the actions {}", known.join(", ")),
        ));
    };
    let error = fault.error.as_deref().unwrap_or_default();
    if !errors.contains(&error) {
        return Err(wrong(
            "error",
            format!("of {} it is one of {}", fault.action, errors.join(", ")),
        ));
    }
    if fault.after_effect {
        return Err(wrong("after_effect", "a machine's behaviour has none"));
    }
    if fault.http_status.is_some() {
        return Err(wrong("http_status", "a machine's behaviour has none"));
    }
    if fault.delay_ms.is_some() && error != "slow" {
        return Err(wrong("delay_ms", "only a slow machine has one"));
    }
    if fault.reason.is_some() && (fault.action.as_str(), error) != ("boot", "dies") {
        return Err(wrong(
            "reason",
            "only a machine that dies while booting has one",
        ));
    }
    Ok(())
}

fn is_code(code: &str) -> bool {
    !code.is_empty()
        && code
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_')
}

fn required(fields: &mut Map<String, Value>, name: &str) -> Result<String, FaultError> {
    optional(fields, name, "a text")?.ok_or_else(|| wrong(name, "is required"))
}

/// Takes a field out; null is absent.
fn optional<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &str,
    expected: &str,
) -> Result<Option<T>, FaultError> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value)
            .map(Some)
            .map_err(|_| wrong(name, format!("must be {expected}"))),
    }
}

fn matching(fields: &mut Map<String, Value>) -> Result<Option<Match>, FaultError> {
    match fields.remove("match") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Match::Text(text))),
        Some(Value::Object(fields)) => Ok(Some(Match::Fields(fields))),
        Some(_) => Err(wrong("match", "must be a text or an object")),
    }
}

fn wrong(field: &str, message: impl Into<String>) -> FaultError {
    FaultError {
        field: field.into(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_field_is_named() {
        let check = |body: &str, field: &str| {
            let error = read(body.as_bytes())
                .and_then(|fault| check(&fault))
                .unwrap_err();
            assert_eq!(error.field, field, "{body}: {error}");
        };
        check("[]", "body");
        check("{", "body");
        check(r#"{"action":"RunInstances"}"#, "service");
        check(
            r#"{"service":"s3","action":"GetObject","error":"X"}"#,
            "service",
        );
        check(
            r#"{"service":"ec2","action":"RunInstance","error":"X"}"#,
            "action",
        );
        check(r#"{"service":"ec2","action":"RunInstances"}"#, "error");
        check(
            r#"{"service":"ec2","action":"RunInstances","error":"<x>"}"#,
            "error",
        );
        check(
            r#"{"service":"ec2","action":"RunInstances","error":"X","times":0}"#,
            "times",
        );
        check(
            r#"{"service":"ec2","action":"RunInstances","error":"X","times":"2"}"#,
            "times",
        );
        check(
            r#"{"service":"ec2","action":"RunInstances","error":"X","http_status":200}"#,
            "http_status",
        );
        check(
            r#"{"service":"ec2","action":"RunInstances","error":"X","match":3}"#,
            "match",
        );
        check(
            r#"{"service":"ec2","action":"RunInstances","error":"X","tiems":2}"#,
            "tiems",
        );
        check(
            r#"{"service":"ec2","action":"RunInstances","error":"X","reason":"Y"}"#,
            "reason",
        );
        check(
            r#"{"service":"machine","action":"explode","error":"dies"}"#,
            "action",
        );
        check(
            r#"{"service":"machine","action":"register","error":"dies"}"#,
            "error",
        );
        check(
            r#"{"service":"machine","action":"boot","error":"never","delay_ms":5}"#,
            "delay_ms",
        );
        check(
            r#"{"service":"machine","action":"boot","error":"slow","after_effect":true}"#,
            "after_effect",
        );
    }

    #[test]
    fn good_faults_are_read() {
        let body = r#"{"service":"ec2","action":"RunInstances","error":"lost_response","after_effect":true,"times":3,
            "match":{"ClientToken":"t"},"delay_ms":10,"http_status":null}"#;
        let fault = read(body.as_bytes()).unwrap();
        assert_eq!(fault.times, 3);
        assert!(fault.after_effect);
        assert!(check(&fault).is_ok());
        for body in [
            r#"{"service":"ssm","action":"*","delay_ms":200}"#,
            r#"{"service":"machine","action":"boot","error":"dies","reason":"Client.VolumeLimitExceeded"}"#,
            r#"{"service":"machine","action":"command","error":"hang","match":"i-1"}"#,
        ] {
            assert_eq!(check(&read(body.as_bytes()).unwrap()), Ok(()), "{body}");
        }
    }
}
