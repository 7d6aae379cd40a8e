//! TerminateInstances for many instances at once: what the sweep ends in one pass takes few calls.

use haulout_domain::ids::InstanceId;

use super::Compute;
use crate::error::AwsError;

/// The most instances that one call names (EC2 API, TerminateInstances, takes up to 1,000 and recommends fewer).
pub const MOST_IN_A_CALL: usize = 500;

impl Compute {
    /// Asks EC2 to end all of these instances. EC2 takes a call as a whole: one instance that it does not know, or
    /// does not end, and none of them is ended.
    pub async fn terminate_all(&self, ids: &[InstanceId]) -> Result<(), AwsError> {
        if let [id] = ids {
            return self.terminate(id).await;
        }
        let ids = ids.iter().map(|id| id.as_str().to_owned()).collect();
        self.client
            .terminate_instances()
            .set_instance_ids(Some(ids))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| AwsError::new("TerminateInstances", error))
    }
}
