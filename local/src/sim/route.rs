//! Which service and action a request is for. All protocols share one port.

use hyper::HeaderMap;
use serde_json::Value;

use super::answer::ApiError;
use super::ec2::Params;
use super::{autoscaling, cloudwatch};

/// The version parameter of EC2's API.
const EC2_VERSION: &str = "2016-11-15";
const SSM_TARGET: &str = "AmazonSSM.";
const CLOUDWATCH_PATH: &str = "/service/GraniteServiceVersion20100801/operation/";

/// A request, read as far as its action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Routed {
    Ec2 { action: String, params: Params },
    AutoScaling { action: String, params: Params },
    Ssm { action: String, body: Value },
    CloudWatch { action: String, body: Value },
}

/// A request that is for nobody, in the words of the service it seems meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unroutable {
    Ec2(ApiError),
    AutoScaling(ApiError),
    Ssm(ApiError),
    CloudWatch(ApiError),
    /// Not a request of any service here.
    Other(String),
}

/// Systems Manager names its target in a header, CloudWatch its operation in the path, EC2 and Auto Scaling their action
/// in the form. The signature is not checked, but what it says of the service tells requests in a form apart.
pub(super) fn route(path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Routed, Unroutable> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(action) = path.strip_prefix(CLOUDWATCH_PATH) {
        let body = cloudwatch::read(body).map_err(|error| {
            Unroutable::CloudWatch(ApiError::client(
                "SerializationException",
                error.to_string(),
            ))
        })?;
        return Ok(Routed::CloudWatch {
            action: action.to_owned(),
            body,
        });
    }
    if let Some(target) = header("x-amz-target") {
        let Some(action) = target.strip_prefix(SSM_TARGET) else {
            return Err(Unroutable::Other(format!(
                "the target {target} is not simulated; {SSM_TARGET}* is"
            )));
        };
        let body = serde_json::from_slice(if body.is_empty() { b"{}" } else { body }).map_err(
            |error| {
                Unroutable::Ssm(ApiError::client(
                    "SerializationException",
                    format!("The body is not JSON: {error}"),
                ))
            },
        )?;
        return Ok(Routed::Ssm {
            action: action.to_owned(),
            body,
        });
    }
    let signed_for = header("authorization").and_then(signed_service);
    if signed_for == Some("autoscaling") {
        return route_autoscaling(body).map_err(Unroutable::AutoScaling);
    }
    let params = Params::from_form(body).map_err(Unroutable::Ec2)?;
    let is_ec2 = signed_for.is_none_or(|service| service == "ec2");
    match (is_ec2, params.get("Action"), params.get("Version")) {
        (true, Some(action), None | Some(EC2_VERSION)) => Ok(Routed::Ec2 {
            action: action.to_owned(),
            params,
        }),
        (true, Some(_), Some(version)) => {
            let message = format!("The version {version} is not simulated; {EC2_VERSION} is");
            Err(Unroutable::Ec2(ApiError::client("NoSuchVersion", message)))
        }
        (true, None, _) => Err(Unroutable::Ec2(ApiError::client(
            "MissingAction",
            "The request is missing an action. The simulator speaks EC2, Auto Scaling, Systems Manager and CloudWatch; see /_sim/state.",
        ))),
        (false, ..) => Err(Unroutable::Other(format!(
            "the service {} is not simulated; ec2, autoscaling, ssm and monitoring are",
            signed_for.unwrap_or_default()
        ))),
    }
}

fn route_autoscaling(body: &[u8]) -> Result<Routed, ApiError> {
    let params = Params::from_form(body)?;
    match (params.get("Action"), params.get("Version")) {
        (Some(action), None | Some(autoscaling::VERSION)) => Ok(Routed::AutoScaling {
            action: action.to_owned(),
            params,
        }),
        (Some(action), Some(version)) => Err(ApiError::client(
            "InvalidAction",
            format!("Could not find operation {action} for version {version}"),
        )),
        (None, _) => Err(ApiError::client(
            "MissingAction",
            "The request is missing an action.",
        )),
    }
}

/// The service in the credential scope of a signature: `Credential=<key>/<date>/<region>/<service>/aws4_request`.
fn signed_service(authorization: &str) -> Option<&str> {
    let (_, credential) = authorization.split_once("Credential=")?;
    credential.split(',').next()?.split('/').nth(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(headers: &[(&'static str, &str)], body: &str) -> Result<Routed, Unroutable> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        route("/", &headers, body.as_bytes())
    }

    const SCOPE: &str =
        "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host";

    #[test]
    fn requests_find_their_action() {
        let ec2 = with(
            &[("authorization", SCOPE)],
            "Action=RunInstances&Version=2016-11-15",
        );
        assert!(matches!(ec2, Ok(Routed::Ec2 { action, .. }) if action == "RunInstances"));
        let scope = SCOPE.replace("/ec2/", "/autoscaling/");
        let scaling = |body| with(&[("authorization", &scope)], body);
        let groups = scaling("Action=DescribeAutoScalingGroups&Version=2011-01-01");
        assert!(
            matches!(groups, Ok(Routed::AutoScaling { action, .. }) if action == "DescribeAutoScalingGroups")
        );
        for wrong in [
            "Action=DescribeAutoScalingGroups&Version=2016-11-15",
            "Version=2011-01-01",
        ] {
            assert!(
                matches!(scaling(wrong), Err(Unroutable::AutoScaling(_))),
                "{wrong}"
            );
        }
        let ssm = with(&[("x-amz-target", "AmazonSSM.SendCommand")], "{\"a\":1}");
        assert!(matches!(ssm, Ok(Routed::Ssm { action, .. }) if action == "SendCommand"));
    }

    #[test]
    fn cloudwatch_is_found_by_its_path() {
        let path = "/service/GraniteServiceVersion20100801/operation/GetMetricData";
        let routed = route(path, &HeaderMap::new(), &[0xa0]);
        assert!(
            matches!(routed, Ok(Routed::CloudWatch { action, .. }) if action == "GetMetricData")
        );
        let broken = route(path, &HeaderMap::new(), b"");
        assert!(matches!(broken, Err(Unroutable::CloudWatch(_))));
    }

    #[test]
    fn what_is_for_nobody_is_told_so() {
        assert!(
            matches!(with(&[], ""), Err(Unroutable::Ec2(error)) if error.code == "MissingAction")
        );
        assert!(matches!(
            with(&[("x-amz-target", "DynamoDB_20120810.GetItem")], "{}"),
            Err(Unroutable::Other(_))
        ));
        let balancer = SCOPE.replace("/ec2/", "/elasticloadbalancing/");
        let other = with(
            &[("authorization", &balancer)],
            "Action=DescribeLoadBalancers&Version=2015-12-01",
        );
        assert!(
            matches!(other, Err(Unroutable::Other(text)) if text.contains("elasticloadbalancing"))
        );
        assert!(matches!(
            with(&[("x-amz-target", "AmazonSSM.SendCommand")], "{"),
            Err(Unroutable::Ssm(_))
        ));
        assert!(matches!(
            with(&[], "Action=X&Version=2011-01-01"),
            Err(Unroutable::Ec2(_))
        ));
    }
}
