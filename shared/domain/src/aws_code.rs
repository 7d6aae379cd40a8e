//! AWS's error codes, read for what they mean to a machine: our code, the HTTP status when a caller waits
//! for the answer, whether repeating helps, and what else could be tried. One table; a code that is not in it
//! keeps AWS's own text and request id.
//! Source: "Error codes for the Amazon EC2 API", "AWS Systems Manager API: common errors", "Amazon EC2 Auto Scaling API:
//! common errors".

use crate::failure::FailureCode;

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

/// What a refused launch leaves to try, with another client token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOver {
    /// Nothing: anything else would be refused as well.
    None,
    /// Another zone or instance type.
    Elsewhere,
    /// Another market: this one refuses in every zone.
    OtherMarket,
}

/// A row: codes that mean the same.
struct Row {
    /// A code, or with a `*` at its end a family of them.
    codes: &'static [&'static str],
    meaning: Meaning,
    http_status: u16,
    fail_over: FailOver,
}

const fn row(codes: &'static [&'static str], meaning: Meaning, http_status: u16) -> Row {
    Row {
        codes,
        meaning,
        http_status,
        fail_over: FailOver::None,
    }
}

const fn elsewhere(codes: &'static [&'static str], code: FailureCode) -> Row {
    Row {
        codes,
        meaning: Meaning::Final(code),
        http_status: 503,
        fail_over: FailOver::Elsewhere,
    }
}

const fn refused(codes: &'static [&'static str], code: FailureCode, http_status: u16) -> Row {
    row(codes, Meaning::Final(code), http_status)
}

/// The first row that fits counts.
const TABLE: &[Row] = &[
    row(
        &[
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "TooManyRequestsException",
            "ProvisionedThroughputExceededException",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "EC2ThrottledException",
        ],
        Meaning::Throttled,
        503,
    ),
    row(
        &[
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "InternalServerException",
            "InternalServiceFault",
            "ServerInternal",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "Unavailable",
            "RequestTimeout",
            "RequestTimeoutException",
            "RequestExpired",
            "ConcurrentTagAccess",
            "TransactionCanceledException",
            "TransactionConflictException",
            "TransactionInProgressException",
            "ResourceContention",
            "ScalingActivityInProgress",
        ],
        Meaning::Unavailable,
        503,
    ),
    // Capacity.
    elsewhere(
        &[
            "InsufficientInstanceCapacity",
            "InsufficientHostCapacity",
            "InsufficientReservedInstanceCapacity",
            "InsufficientCapacity",
            "InsufficientCapacityOnOutpost",
            "Unsupported",
        ],
        FailureCode::InsufficientCapacity,
    ),
    elsewhere(
        &[
            "InsufficientFreeAddressesInSubnet",
            "InsufficientAddressCapacity",
        ],
        FailureCode::NetworkInvalid,
    ),
    // Spot.
    elsewhere(&["SpotMaxPriceTooLow"], FailureCode::SpotPrice),
    Row {
        codes: &[
            "MaxSpotInstanceCountExceeded",
            "InvalidSpotFleetRequestConfig",
        ],
        meaning: Meaning::Final(FailureCode::LimitExceeded),
        http_status: 503,
        fail_over: FailOver::OtherMarket,
    },
    // Limits of the account.
    refused(
        &[
            "InstanceLimitExceeded",
            "VcpuLimitExceeded",
            "PendingVerification",
            "VolumeLimitExceeded",
            "MaxIOPSLimitExceeded",
            "AddressLimitExceeded",
            "NetworkInterfaceLimitExceeded",
            "SecurityGroupLimitExceeded",
            "SecurityGroupsPerInstanceLimitExceeded",
            "RulesPerSecurityGroupLimitExceeded",
            "ResourceCountExceeded",
            "TagLimitExceeded",
        ],
        FailureCode::LimitExceeded,
        503,
    ),
    // Permissions.
    refused(
        &[
            "UnauthorizedOperation",
            "AccessDenied",
            "AccessDeniedException",
            "AuthFailure",
            "Blocked",
            "OptInRequired",
            "UnrecognizedClientException",
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "MissingAuthenticationToken",
        ],
        FailureCode::PermissionDenied,
        503,
    ),
    // The instance is not where it would have to be.
    refused(
        &[
            "IncorrectInstanceState",
            "IncorrectState",
            "IncorrectSpotRequestState",
            "UnsupportedOperation",
            "OperationNotPermitted",
            "DependencyViolation",
        ],
        FailureCode::AwsError,
        409,
    ),
    refused(
        &["InvalidInstanceID.NotFound"],
        FailureCode::InstanceGone,
        409,
    ),
    // What was asked for.
    refused(
        &["InvalidLaunchTemplate*"],
        FailureCode::LaunchTemplateInvalid,
        400,
    ),
    refused(
        &["InvalidAMI*", "UnavailableImage*"],
        FailureCode::AmiInvalid,
        400,
    ),
    refused(
        &[
            "InvalidSubnet*",
            "InvalidVpc*",
            "InvalidNetworkInterface*",
            "VPCIdNotSpecified",
            "DefaultVpcDoesNotExist",
            "DefaultSubnetDoesNotExist",
            "MissingDefault*",
            "InvalidZone*",
        ],
        FailureCode::NetworkInvalid,
        400,
    ),
    refused(
        &[
            "InvalidGroup*",
            "InvalidSecurityGroup*",
            "InvalidPermission*",
        ],
        FailureCode::SecurityGroupInvalid,
        400,
    ),
    refused(&["InvalidKeyPair*"], FailureCode::KeyPairInvalid, 400),
    refused(
        &[
            "InvalidParameter*",
            "InvalidBlockDeviceMapping*",
            "InvalidIamInstanceProfile*",
            "InvalidInstanceType*",
            "InvalidUserData*",
            "InvalidTag*",
            "InvalidInput*",
            "InvalidFilter*",
            "InvalidState",
            "InvalidSnapshot*",
            "InvalidVolume*",
            "MissingParameter*",
            "UnknownParameter*",
            "Malformed*",
            "ValidationException",
            "ValidationError",
            "IdempotentParameterMismatch",
            "IdempotentInstanceTerminated",
        ],
        FailureCode::ParameterInvalid,
        400,
    ),
];

fn find(code: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| {
        row.codes.iter().any(|known| match known.strip_suffix('*') {
            Some(family) => code.starts_with(family),
            None => *known == code,
        })
    })
}

/// Reads an AWS error code. Unknown codes are final: the caller sees AWS's own text.
pub fn meaning(code: &str) -> Meaning {
    find(code).map_or(Meaning::Final(FailureCode::AwsError), |row| row.meaning)
}

/// The HTTP status for a caller whose request met this code.
pub fn http_status(code: &str) -> u16 {
    find(code).map_or(503, |row| row.http_status)
}

/// What else could be tried after RunInstances was refused with this code.
pub fn fail_over(code: &str) -> FailOver {
    find(code).map_or(FailOver::None, |row| row.fail_over)
}

/// Why EC2 ended an instance, by the code of its state reason (EC2 API, `StateReason`).
pub fn end_of_instance(state_reason: &str) -> FailureCode {
    match state_reason {
        "Server.InsufficientInstanceCapacity" => FailureCode::InsufficientCapacity,
        "Server.SpotInstanceTermination" | "Server.SpotInstanceShutdown" => {
            FailureCode::SpotInterrupted
        }
        "Client.VolumeLimitExceeded" => FailureCode::LimitExceeded,
        _ => FailureCode::InstanceEnded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_for_what_they_mean() {
        use FailureCode as F;
        use Meaning::{Final, Throttled, Unavailable};
        for (code, meant, status) in [
            ("RequestLimitExceeded", Throttled, 503),
            ("ThrottlingException", Throttled, 503),
            ("InternalError", Unavailable, 503),
            ("ResourceContention", Unavailable, 503),
            ("ScalingActivityInProgress", Unavailable, 503),
            (
                "InsufficientInstanceCapacity",
                Final(F::InsufficientCapacity),
                503,
            ),
            ("SpotMaxPriceTooLow", Final(F::SpotPrice), 503),
            ("MaxSpotInstanceCountExceeded", Final(F::LimitExceeded), 503),
            ("VcpuLimitExceeded", Final(F::LimitExceeded), 503),
            (
                "InvalidLaunchTemplateId.NotFoundException",
                Final(F::LaunchTemplateInvalid),
                400,
            ),
            ("InvalidAMIID.NotFound", Final(F::AmiInvalid), 400),
            ("InvalidSubnetID.NotFound", Final(F::NetworkInvalid), 400),
            ("InvalidGroup.NotFound", Final(F::SecurityGroupInvalid), 400),
            ("InvalidKeyPair.NotFound", Final(F::KeyPairInvalid), 400),
            ("InvalidParameterValue", Final(F::ParameterInvalid), 400),
            ("UnauthorizedOperation", Final(F::PermissionDenied), 503),
            ("IncorrectInstanceState", Final(F::AwsError), 409),
            ("Brand.New", Final(F::AwsError), 503),
        ] {
            assert_eq!(meaning(code), meant, "{code}");
            assert_eq!(http_status(code), status, "{code}");
        }
    }

    #[test]
    fn only_what_another_place_could_cure_is_tried_elsewhere() {
        for (code, expected) in [
            ("InsufficientInstanceCapacity", FailOver::Elsewhere),
            ("Unsupported", FailOver::Elsewhere),
            ("InsufficientFreeAddressesInSubnet", FailOver::Elsewhere),
            ("MaxSpotInstanceCountExceeded", FailOver::OtherMarket),
            ("VcpuLimitExceeded", FailOver::None),
            ("InvalidAMIID.NotFound", FailOver::None),
            ("RequestLimitExceeded", FailOver::None),
        ] {
            assert_eq!(fail_over(code), expected, "{code}");
        }
    }

    #[test]
    fn no_code_is_in_two_rows() {
        let mut codes: Vec<_> = TABLE.iter().flat_map(|row| row.codes).collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}
