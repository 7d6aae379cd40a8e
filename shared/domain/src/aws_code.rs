//! AWS's error codes, read for what they mean to a machine being provisioned.
//! Source: "Error codes for the Amazon EC2 API", "AWS Systems Manager API: common errors".

use crate::failure::{Failure, FailureCode};

/// What an AWS error code means for the step that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Slow down and repeat.
    Throttled,
    /// AWS's own trouble, or consistency lag: repeat.
    Unavailable,
    /// Repeating will not help; the machine fails with this code.
    Final(FailureCode),
}

/// Reads an AWS error code. Unknown codes are final: the caller sees AWS's own text.
pub fn meaning(code: &str) -> Meaning {
    use FailureCode as F;
    use Meaning::{Final, Throttled, Unavailable};
    match code {
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "RequestThrottled"
        | "SlowDown"
        | "EC2ThrottledException" => Throttled,

        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InternalServerException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "Unavailable"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "TransactionCanceledException"
        | "TransactionConflictException"
        | "TransactionInProgressException" => Unavailable,

        "InsufficientInstanceCapacity"
        | "InsufficientHostCapacity"
        | "InsufficientReservedInstanceCapacity"
        | "InsufficientCapacity"
        | "Unsupported" => Final(F::InsufficientCapacity),

        "InstanceLimitExceeded"
        | "VcpuLimitExceeded"
        | "MaxSpotInstanceCountExceeded"
        | "VolumeLimitExceeded"
        | "MaxIOPSLimitExceeded" => Final(F::LimitExceeded),

        "UnauthorizedOperation"
        | "AccessDenied"
        | "AccessDeniedException"
        | "AuthFailure"
        | "OptInRequired"
        | "UnrecognizedClientException"
        | "ExpiredTokenException"
        | "InvalidClientTokenId" => Final(F::PermissionDenied),

        "InsufficientFreeAddressesInSubnet" => Final(F::NetworkInvalid),
        "IdempotentParameterMismatch" => Final(F::ParameterInvalid),
        _ => by_prefix(code),
    }
}

/// Families of EC2 codes that share a beginning (`InvalidAMIID.NotFound`, `InvalidAMIID.Malformed`, …).
fn by_prefix(code: &str) -> Meaning {
    use FailureCode as F;
    const FAMILIES: &[(&str, FailureCode)] = &[
        ("InvalidLaunchTemplate", F::LaunchTemplateInvalid),
        ("InvalidAMI", F::AmiInvalid),
        ("InvalidSubnet", F::NetworkInvalid),
        ("InvalidVpc", F::NetworkInvalid),
        ("InvalidNetworkInterface", F::NetworkInvalid),
        ("InvalidGroup", F::SecurityGroupInvalid),
        ("InvalidSecurityGroup", F::SecurityGroupInvalid),
        ("InvalidKeyPair", F::KeyPairInvalid),
        ("InvalidParameter", F::ParameterInvalid),
        ("InvalidBlockDeviceMapping", F::ParameterInvalid),
        ("InvalidIamInstanceProfile", F::ParameterInvalid),
        ("MissingParameter", F::ParameterInvalid),
        ("ValidationException", F::ParameterInvalid),
    ];
    FAMILIES
        .iter()
        .find(|(prefix, _)| code.starts_with(prefix))
        .map_or(Meaning::Final(FailureCode::AwsError), |(_, failure)| {
            Meaning::Final(*failure)
        })
}

/// The failure for an AWS error that repeating did not help, in AWS's words.
pub fn failure(code: &str, text: &str) -> Failure {
    let failure_code = match meaning(code) {
        Meaning::Throttled => FailureCode::AwsThrottled,
        Meaning::Unavailable => FailureCode::AwsUnavailable,
        Meaning::Final(code) => code,
    };
    Failure::new(failure_code, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_for_what_they_mean() {
        for (code, expected) in [
            ("RequestLimitExceeded", Meaning::Throttled),
            ("ThrottlingException", Meaning::Throttled),
            ("InternalError", Meaning::Unavailable),
            (
                "InsufficientInstanceCapacity",
                Meaning::Final(FailureCode::InsufficientCapacity),
            ),
            (
                "InvalidLaunchTemplateId.NotFoundException",
                Meaning::Final(FailureCode::LaunchTemplateInvalid),
            ),
            (
                "InvalidAMIID.NotFound",
                Meaning::Final(FailureCode::AmiInvalid),
            ),
            (
                "UnauthorizedOperation",
                Meaning::Final(FailureCode::PermissionDenied),
            ),
            ("Brand.New", Meaning::Final(FailureCode::AwsError)),
        ] {
            assert_eq!(meaning(code), expected, "{code}");
        }
    }
}
