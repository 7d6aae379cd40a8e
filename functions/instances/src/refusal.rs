//! What callers are told when the domain or AWS says no.

pub(crate) use haulout_api::registry::{failed as registry, unknown_package};
use haulout_api::{Code, Problem};
use haulout_aws::{
    error::AwsError,
    store::{Drain, StoreError},
};
use haulout_domain::{
    aws_code::{self, Meaning},
    failure::{Failure, FailureCode},
    guard::Violation,
    power::PowerRefusal,
};

/// When to come back after AWS refused something that is not the caller's to mend, in seconds.
const RETRY_AFTER_REFUSAL: u32 = 60;

/// When to come back after trouble at AWS, in seconds.
const RETRY_AFTER_TROUBLE: u32 = 2;

/// A place in the quota is free when a machine has ended, which takes about this many seconds.
const RETRY_AFTER_QUOTA: u32 = 60;

/// A failed store operation behind a request.
pub(crate) fn store(error: StoreError) -> Problem {
    match error {
        StoreError::Aws(error) => error.into(),
        StoreError::Conflict(_) => Problem::unavailable(
            "Other requests kept changing this machine. Send the request again after the time in Retry-After.",
            1,
        )
        .because(error),
        StoreError::Shape(_) => Problem::internal(error),
    }
}

/// No record of that id, or none any more.
pub(crate) fn unknown(id: &str) -> Problem {
    Problem::new(
        Code::UnknownMachine,
        format!(
            "There is no machine {id}. Ended machines are kept for 24 hours; GET /instances lists the others."
        ),
    )
}

/// EC2, Systems Manager or CloudWatch said no to what a request needs, in its own words.
pub(crate) fn aws(error: AwsError) -> Problem {
    let Meaning::Final(meaning) = error.meaning else {
        return error.into();
    };
    let detail = format!("AWS refused: {error}. {}", meaning.hint());
    let problem = match status(&error) {
        400 => Problem::new(invalid(meaning.as_str()), detail),
        409 => Problem::new(Code::Conflict, detail),
        _ => Problem::new(Code::AwsRefused, detail).retry_after(RETRY_AFTER_REFUSAL),
    };
    problem.because(error)
}

/// CloudWatch gave no figures.
pub(crate) fn figures(error: AwsError) -> Problem {
    let detail = format!(
        "CloudWatch does not answer with figures just now: {error}. Send the request again after the time in Retry-After."
    );
    Problem::unavailable(detail, RETRY_AFTER_TROUBLE).because(error)
}

/// AWS refused what a caller named: it would refuse it again.
pub(crate) fn is_callers(error: &AwsError) -> bool {
    !error.is_transient() && status(error) == 400
}

/// The HTTP status for a refusal; some are seen only in what an answer lacks, and have no code.
fn status(error: &AwsError) -> u16 {
    match (&error.code, error.meaning) {
        (Some(code), _) => aws_code::http_status(code),
        (None, Meaning::Final(FailureCode::AmiInvalid | FailureCode::LaunchTemplateInvalid)) => 400,
        (None, _) => 503,
    }
}

/// A guard rail cannot be checked.
pub(crate) fn not_checked(error: AwsError) -> Problem {
    Problem::unavailable(
        "Whether the deployment's guard rails allow this machine cannot be told just now, because AWS did not say what image or launch template it would have. Send the request again after the time in Retry-After, or name ami, instance_type and storage_gb.",
        RETRY_AFTER_TROUBLE,
    )
    .because(error)
}

/// A machine that cannot be launched as it was asked for.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn failure(failure: Failure) -> Problem {
    let hint = match failure.code.parse() {
        // That one is about what AWS said.
        Ok(FailureCode::ParameterInvalid) | Err(()) => "",
        Ok(code) => code.hint(),
    };
    let detail = format!("{}. {hint}", failure.message);
    Problem::new(invalid(&failure.code), detail.trim_end())
}

/// The code of a request that is wrong in what this failure code is about.
fn invalid(code: &str) -> Code {
    match code.parse() {
        Ok(FailureCode::AmiInvalid) => Code::AmiInvalid,
        Ok(FailureCode::LaunchTemplateInvalid) => Code::LaunchTemplateInvalid,
        _ => Code::ParameterInvalid,
    }
}

/// A rule of the deployment is broken.
pub(crate) fn violation(violation: &Violation) -> Problem {
    Problem::new(
        Code::GuardRail,
        format!("{violation}. Ask for something that is allowed, or have the rule changed."),
    )
}

/// The same idempotency key with another body.
pub(crate) fn key_reused() -> Problem {
    Problem::new(
        Code::IdempotencyKeyReused,
        "This Idempotency-Key was used with another body in the last 24 hours. Use a new key for a new request.",
    )
}

/// The owner has as many machines as are allowed.
pub(crate) fn quota(limit: u32) -> Problem {
    Problem::new(
        Code::QuotaExceeded,
        format!(
            "You have {limit} machines, as many as you may have at once. Delete one, and try again when it has ended."
        ),
    )
    .retry_after(RETRY_AFTER_QUOTA)
}

/// No machine is made while the deployment is being drained.
pub(crate) fn draining(drain: &Drain) -> Problem {
    Problem::new(
        Code::Draining,
        format!(
            "The deployment is being drained since {}, and takes no new machines. Try again when an administrator has ended that with DELETE /drain.",
            drain.since
        ),
    )
}

/// A start or stop that does not fit where the machine is.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn power(refusal: PowerRefusal) -> Problem {
    let code = match refusal {
        PowerRefusal::Spot => Code::SpotCannotStop,
        PowerRefusal::Pool | PowerRefusal::Status { .. } => Code::Conflict,
    };
    Problem::new(code, format!("{}.", capital(&refusal.to_string())))
}

/// As the beginning of a sentence.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
