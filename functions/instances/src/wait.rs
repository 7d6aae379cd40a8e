//! `Prefer: wait` (RFC 7240) on POST /instances: looks at the record until provisioning is over or the time is.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use haulout_api::Problem;
use haulout_domain::{
    ids::MachineId,
    status::{Desired, Status},
};
use http::{HeaderName, HeaderValue, StatusCode, header::LOCATION};
use tokio::time::Instant;

use crate::{Instances, create::location, refusal, view::MachineView};

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Instances {
    /// The machine when it is ready, has failed, is to end, or `time` is over.
    pub(crate) async fn wait(&self, id: &MachineId, time: Duration) -> Result<Response, Problem> {
        let end = Instant::now() + time;
        loop {
            let machine = self
                .store
                .get(id)
                .await
                .map_err(refusal::store)?
                .ok_or_else(|| refusal::unknown(id.as_str()))?;
            let waits = machine.status.is_provisioning() && machine.desired == Desired::Running;
            if !waits || Instant::now() >= end {
                let code = if machine.status == Status::Ready {
                    StatusCode::CREATED
                } else {
                    StatusCode::ACCEPTED
                };
                let view = axum::Json(MachineView::stored(machine));
                let mut response = (code, [(LOCATION, location(id))], view).into_response();
                // RFC 7240, section 3: tells that the preference was honoured.
                response.headers_mut().insert(
                    HeaderName::from_static("preference-applied"),
                    HeaderValue::from_static("wait"),
                );
                return Ok(response);
            }
            tokio::time::sleep_until(end.min(Instant::now() + LOOK_EVERY)).await;
        }
    }
}
