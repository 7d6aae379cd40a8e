//! EC2: launching, looking at, stopping, starting and ending instances.

mod batch;
mod facts;
mod launch;
mod listing;

use aws_config::SdkConfig;
use aws_sdk_ec2::{
    Client,
    types::{Reservation, SummaryStatus},
};
use haulout_domain::{
    aws_code::Meaning,
    ids::{InstanceId, MachineId},
    machine::{InstanceFacts, SpotStatus},
    naming::TAG_MACHINE,
};

use self::facts::facts;
pub use self::{
    batch::MOST_IN_A_CALL,
    listing::{Listed, Listing},
};
use crate::error::AwsError;

/// EC2, for the instances of one deployment.
#[derive(Debug, Clone)]
pub struct Compute {
    client: Client,
    deployment: String,
}

impl Compute {
    /// EC2, tagging and finding instances as this deployment's.
    pub fn new(config: &SdkConfig, deployment: impl Into<String>) -> Self {
        Self {
            client: Client::new(config),
            deployment: deployment.into(),
        }
    }

    /// The instance as EC2 shows it; nothing when EC2 does not know it (yet, or any more).
    pub async fn describe(&self, id: &InstanceId) -> Result<Option<InstanceFacts>, AwsError> {
        let answer = self
            .client
            .describe_instances()
            .instance_ids(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::new("DescribeInstances", error));
        match answer {
            Ok(answer) => Ok(answer
                .reservations()
                .iter()
                .flat_map(Reservation::instances)
                .find_map(facts)),
            Err(error) if error.is("InvalidInstanceID.NotFound") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether both of EC2's status checks passed (DescribeInstanceStatus).
    pub async fn status_checks_passed(&self, id: &InstanceId) -> Result<bool, AwsError> {
        let answer = self
            .client
            .describe_instance_status()
            .instance_ids(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::new("DescribeInstanceStatus", error));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is("InvalidInstanceID.NotFound") => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(answer.instance_statuses().iter().any(|status| {
            [status.instance_status(), status.system_status()]
                .iter()
                .all(|check| check.and_then(|check| check.status()) == Some(&SummaryStatus::Ok))
        }))
    }

    /// The instances that carry the machine's tag: how one is found whose launch was never answered.
    pub async fn find(&self, machine: &MachineId) -> Result<Vec<Listed>, AwsError> {
        let mut listing = self.listing_of(Some((TAG_MACHINE, machine.as_str())));
        let mut found = Vec::new();
        while let Some(page) = listing.next().await {
            found.extend(page?);
        }
        Ok(found)
    }

    /// How a spot request stands (DescribeSpotInstanceRequests); nothing when EC2 does not know it.
    pub async fn spot_status(&self, request_id: &str) -> Result<Option<SpotStatus>, AwsError> {
        let answer = self
            .client
            .describe_spot_instance_requests()
            .spot_instance_request_ids(request_id)
            .send()
            .await
            .map_err(|error| AwsError::new("DescribeSpotInstanceRequests", error));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is("InvalidSpotInstanceRequestID.NotFound") => return Ok(None),
            Err(error) => return Err(error),
        };
        let status = answer
            .spot_instance_requests()
            .first()
            .and_then(|request| request.status());
        Ok(status.and_then(|status| {
            Some(SpotStatus {
                code: status.code()?.to_owned(),
                message: status.message().unwrap_or_default().to_owned(),
            })
        }))
    }

    /// Asks EC2 to stop the instance (StopInstances). One that is stopped counts as asked; one that is still
    /// pending is to be asked again.
    pub async fn stop(&self, id: &InstanceId) -> Result<(), AwsError> {
        self.client
            .stop_instances()
            .instance_ids(id.as_str())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| not_in_this_state(AwsError::new("StopInstances", error)))
    }

    /// Asks EC2 to start the instance (StartInstances). One that runs counts as asked; one that is still stopping is
    /// to be asked again.
    pub async fn start(&self, id: &InstanceId) -> Result<(), AwsError> {
        self.client
            .start_instances()
            .instance_ids(id.as_str())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| not_in_this_state(AwsError::new("StartInstances", error)))
    }

    /// Asks EC2 to end the instance (TerminateInstances). One that EC2 does not know counts as asked.
    pub async fn terminate(&self, id: &InstanceId) -> Result<(), AwsError> {
        let answer = self
            .client
            .terminate_instances()
            .instance_ids(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::new("TerminateInstances", error));
        match answer {
            Err(error) if !error.is("InvalidInstanceID.NotFound") => Err(error),
            _ => Ok(()),
        }
    }
}

/// EC2's `IncorrectInstanceState` is about this moment: an instance on its way from one state to another can be
/// stopped or started once it is there.
fn not_in_this_state(mut error: AwsError) -> AwsError {
    if error.is("IncorrectInstanceState") {
        error.meaning = Meaning::Unavailable;
    }
    error
}
