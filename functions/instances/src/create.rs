//! POST /instances: the record first, then the execution, then the answer.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use haulout_api::{Caller, Code, IdempotencyKey, Json, Prefer, Problem};
use haulout_aws::{
    emf::Dimension,
    store::{Created, Idempotency},
    telemetry::error_chain,
};
use haulout_domain::{
    digest,
    ids::MachineId,
    machine::Machine,
    status::{Desired, Status},
};
use http::{HeaderName, HeaderValue, StatusCode, header::LOCATION};
use tokio::time::Instant;

use crate::{CreateMachine, Instances, problem, unknown, view::MachineView};

/// How often `Prefer: wait` looks at the record.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Create a machine.
///
/// Answers at once with 202; the machine is then launched, staged and watched in the background. With
/// `Prefer: wait=N` it answers when the machine is ready (201) or after N seconds (202).
#[utoipa::path(
    post,
    path = "",
    tag = "machines",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key and body gives the same answer, and no second machine"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, N up to 25 seconds"),
    ),
    request_body = CreateMachine,
    responses(
        (status = 201, description = "Ready, seen by `Prefer: wait`", body = MachineView, headers(("Location" = String))),
        (status = 202, description = "Accepted", body = MachineView, headers(("Location" = String))),
        (status = 400, description = "Malformed, or fields that do not go together", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "The idempotency key was used with another body", body = haulout_api::problem::ProblemBody),
        (status = 413, description = "Too large", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn create(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
    prefer: Prefer,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<CreateMachine>,
) -> Result<Response, Problem> {
    let fingerprint = digest::sha256_hex(&serde_json::to_vec(&body).map_err(Problem::internal)?);
    let now = instances.clock.now();
    let request = body
        .complete(&caller.name, &instances.settings)
        .map_err(|error| Problem::new(Code::InvalidBody, error.to_string()))?;
    let machine = Machine::new(MachineId::generate(), request, now);
    let view = MachineView::stored(machine.clone());
    let answer = serde_json::to_string(&view).map_err(Problem::internal)?;
    let idempotency = key.map(|key| Idempotency {
        scope: digest::sha256_hex(format!("{}\n{key}", caller.name).as_bytes()),
        fingerprint,
        answer: answer.clone(),
    });
    let created = instances
        .store
        .create(&machine, idempotency.as_ref(), now)
        .await
        .map_err(problem)?;
    let (id, answer) = match created {
        Created::New => {
            instances.start(&machine).await;
            (machine.id, answer)
        }
        Created::Before { machine, answer } => (machine, answer),
        Created::OtherRequest => {
            return Err(Problem::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was used with another body in the last 24 hours. Use a new key for a new request.",
            ));
        }
    };
    match prefer.wait {
        Some(time) => instances.wait(&id, time).await,
        None => Ok(accepted(&id, answer)),
    }
}

impl Instances {
    /// Starts the machine's execution. What cannot be started now, the sweep starts: the record is written.
    async fn start(&self, machine: &Machine) {
        self.metrics
            .count("Launches", &[(Dimension::Outcome, "accepted")]);
        match self.workflow.start(machine).await {
            Ok(()) => tracing::info!(machine_id = %machine.id, "accepted"),
            Err(error) => tracing::error!(
                machine_id = %machine.id,
                error = error_chain(&error),
                "the execution could not be started; left to the sweep"
            ),
        }
    }

    /// Looks at the record until provisioning is over or the time is.
    async fn wait(&self, id: &MachineId, time: Duration) -> Result<Response, Problem> {
        let end = Instant::now() + time;
        loop {
            let machine = self
                .store
                .get(id)
                .await
                .map_err(problem)?
                .ok_or_else(|| unknown(id.as_str()))?;
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

fn accepted(id: &MachineId, answer: String) -> Response {
    (
        StatusCode::ACCEPTED,
        [
            (LOCATION, location(id)),
            (http::header::CONTENT_TYPE, "application/json".to_owned()),
        ],
        answer,
    )
        .into_response()
}

fn location(id: &MachineId) -> String {
    format!("/instances/{id}")
}
