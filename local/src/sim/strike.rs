//! What a fault does to the answer of an action, with the status and the words AWS has for the error.

use std::time::Duration;

use super::answer::ApiError;
use super::fault::Fault;

/// How long an action that hangs stays silent unless told otherwise; real time.
const HANG: Duration = Duration::from_mins(1);

/// What a fault does to an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Strike {
    /// The answer comes as it would have, only later.
    Late,
    Error(ApiError),
    /// The connection is closed.
    Lost,
}

impl Fault {
    /// What happens to the answer, and after how much real time.
    pub(super) fn strike(&self) -> (Strike, Duration) {
        match self.error.as_deref() {
            None => (Strike::Late, self.delay_or(Duration::ZERO)),
            Some("lost_response") => (Strike::Lost, self.delay_or(Duration::ZERO)),
            Some("hang") => (Strike::Lost, self.delay_or(HANG)),
            Some(code) => {
                let status = self.http_status.unwrap_or_else(|| usual_status(code));
                let error = ApiError {
                    code: code.to_owned().into(),
                    message: usual_message(code),
                    status,
                };
                (Strike::Error(error), self.delay_or(Duration::ZERO))
            }
        }
    }
}

/// The status AWS answers an error code with.
fn usual_status(code: &str) -> u16 {
    match code {
        "RequestLimitExceeded" | "Unavailable" | "ServiceUnavailable" => 503,
        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InsufficientInstanceCapacity"
        | "InsufficientCapacity" => 500,
        "UnauthorizedOperation" => 403,
        "AuthFailure" => 401,
        _ => 400,
    }
}

fn usual_message(code: &str) -> String {
    let text = match code {
        "RequestLimitExceeded" => "Request limit exceeded.",
        "ThrottlingException" | "Throttling" => "Rate exceeded",
        "UnauthorizedOperation" => "You are not authorized to perform this operation.",
        "AccessDeniedException" => "The caller is not authorized to perform this action.",
        "InternalError" | "InternalFailure" | "InternalServerError" => {
            "An internal error has occurred"
        }
        "Unavailable" | "ServiceUnavailable" => {
            "The service is unavailable. Please try again shortly."
        }
        "InsufficientInstanceCapacity" => {
            "We currently do not have sufficient capacity of the instance type in the Availability Zone you requested."
        }
        "VcpuLimitExceeded" => {
            "You have requested more vCPU capacity than your current vCPU limit allows."
        }
        "InstanceLimitExceeded" => {
            "You have requested more instances than your current instance limit allows."
        }
        "MaxSpotInstanceCountExceeded" => "Max spot instance count exceeded",
        _ => return format!("{code} (a simulated fault)"),
    };
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_status_aws_gives_them() {
        let check = |code: &str, status: u16| {
            let (strike, _) = Fault::new("ec2", "RunInstances", code).strike();
            assert!(
                matches!(&strike, Strike::Error(error) if error.status == status),
                "{code}: {strike:?}"
            );
        };
        check("RequestLimitExceeded", 503);
        check("InternalError", 500);
        check("UnauthorizedOperation", 403);
        check("ThrottlingException", 400);
        check("InternalServerError", 500);
        check("AccessDeniedException", 400);
        assert_eq!(
            Fault::new("ec2", "RunInstances", "lost_response").strike(),
            (Strike::Lost, Duration::ZERO)
        );
        assert_eq!(
            Fault::new("ec2", "RunInstances", "hang").strike(),
            (Strike::Lost, HANG)
        );
    }
}
