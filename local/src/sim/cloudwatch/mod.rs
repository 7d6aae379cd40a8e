//! The part of CloudWatch's API that the control plane calls: Smithy RPC v2 with CBOR in and out.

mod cbor;
mod figures;
mod metric_data;

use serde_json::Value;

pub(super) use cbor::{Writer, read};

use super::answer::{Action, ApiError};
use super::state::Call;

/// A CloudWatch action: JSON, read from CBOR, in; CBOR out.
pub(super) type CloudWatchAction = Action<Value, Vec<u8>>;

/// The actions imitated.
pub(super) const ACTIONS: &[CloudWatchAction] = &[Action {
    name: "GetMetricData",
    parameters: &["MetricDataQueries", "StartTime", "EndTime", "ScanBy"],
    run: metric_data::get_metric_data,
}];

/// The action of that name.
pub(super) fn action(name: &str) -> Option<&'static CloudWatchAction> {
    ACTIONS.iter().find(|action| action.name == name)
}

/// Checks what all actions have in common, then does what `action` does.
pub(super) fn perform(
    action: &CloudWatchAction,
    call: &mut Call<'_>,
    body: &Value,
) -> Result<Vec<u8>, ApiError> {
    let members = body.as_object().into_iter().flatten();
    for (name, _) in members {
        if !action.parameters.contains(&name.as_str()) {
            return Err(invalid(format!(
                "{name} of {} is not simulated",
                action.name
            )));
        }
    }
    (action.run)(call, body)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationError", message)
}
