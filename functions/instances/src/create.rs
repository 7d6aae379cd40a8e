//! POST /instances: the record first, then the execution, then the answer.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use haulout_api::{Caller, Code, IdempotencyKey, Json, Prefer, Problem, SourceAddress};
use haulout_aws::{
    emf::Dimension,
    store::{Created, Drain, Idempotency},
    telemetry::error_chain,
};
use haulout_domain::{
    digest,
    ids::MachineId,
    machine::{Machine, MachineRequest},
};
use http::{
    StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};

use crate::{CreateMachine, Instances, refusal, view::MachineView};

/// Create a machine.
///
/// Answers at once with 202; the machine is then launched, staged and watched in the background. With
/// `Prefer: wait=N` it answers when the machine is ready (201) or after N seconds (202).
#[utoipa::path(
    post,
    path = "",
    tag = "machines",
    params(
        ("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = "Repeating the request with the same key and body gives the same answer, and no second machine"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, N up to 25 seconds"),
    ),
    request_body = CreateMachine,
    responses(
        (status = 201, description = "Ready, seen by `Prefer: wait`", body = MachineView, headers(("Location" = String))),
        (status = 202, description = "Accepted", body = MachineView, headers(("Location" = String))),
        (status = 400, description = "Malformed, fields that do not go together, or not allowed by a guard rail", body = haulout_api::problem::ProblemBody),
        (status = 403, description = "The package is not for the caller", body = haulout_api::problem::ProblemBody),
        (status = 404, description = "No such package", body = haulout_api::problem::ProblemBody),
        (status = 409, description = "The idempotency key was used with another body, or the deployment is being drained", body = haulout_api::problem::ProblemBody),
        (status = 413, description = "Too large", body = haulout_api::problem::ProblemBody),
        (status = 429, description = "The caller has as many machines as are allowed", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn create(
    State(instances): State<Arc<Instances>>,
    Extension(caller): Extension<Caller>,
    SourceAddress(address): SourceAddress,
    prefer: Prefer,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<CreateMachine>,
) -> Result<Response, Problem> {
    let repeatable = key
        .map(|key| Repeatable::new(&caller, &key, &body))
        .transpose()?;
    let before = match &repeatable {
        Some(it) => instances.answered(it).await?,
        None => None,
    };
    let (id, answer) = match before {
        Some(before) => before,
        None => Box::pin(instances.create(body, &caller, &address, repeatable)).await?,
    };
    match prefer.wait {
        Some(time) => instances.wait(&id, time).await,
        None => Ok(accepted(&id, answer)),
    }
}

/// What tells a request that is sent again from another one.
struct Repeatable {
    scope: String,
    fingerprint: String,
}

impl Repeatable {
    fn new(caller: &Caller, key: &str, body: &CreateMachine) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        Ok(Self {
            scope: digest::sha256_hex(format!("{}\n{key}", caller.name).as_bytes()),
            fingerprint: digest::sha256_hex(&body),
        })
    }

    fn with(self, answer: &str) -> Idempotency {
        Idempotency {
            scope: self.scope,
            fingerprint: self.fingerprint,
            answer: answer.to_owned(),
        }
    }
}

/// A machine, and what its creator is answered.
type Answered = (MachineId, String);

impl Instances {
    /// What was answered to the same request before. That is asked first: whatever would be looked at today may say
    /// something else than it did then.
    async fn answered(&self, request: &Repeatable) -> Result<Option<Answered>, Problem> {
        let Repeatable { scope, fingerprint } = request;
        let now = self.clock.now();
        let answered = self.store.answered(scope, fingerprint, now).await;
        match answered.map_err(refusal::store)? {
            Some(Created::Before { machine, answer }) => Ok(Some((machine, answer))),
            Some(Created::OtherRequest) => Err(refusal::key_reused()),
            _ => Ok(None),
        }
    }

    /// Writes a new machine's record, once all that can be known of the request was looked at, and starts its execution.
    async fn create(
        &self,
        body: CreateMachine,
        caller: &Caller,
        address: &str,
        repeatable: Option<Repeatable>,
    ) -> Result<Answered, Problem> {
        let now = self.clock.now();
        let request = self.look_at(body, caller, address).await?;
        let machine = Machine::new(MachineId::generate(), request, now);
        let view = MachineView::stored(machine.clone());
        let answer = serde_json::to_string(&view).map_err(Problem::internal)?;
        let idempotency = repeatable.map(|it| it.with(&answer));
        let drain = self.store.drain().await.map_err(refusal::store)?;
        // While the deployment is drained nobody has a place; what was answered before is answered again all the same.
        let quota = match drain {
            Some(_) => Some(0),
            None => caller
                .quota
                .or(self.settings.launch.guard_rails.max_machines),
        };
        let created = self
            .store
            .create(&machine, idempotency.as_ref(), quota, now)
            .await
            .map_err(refusal::store)?;
        match created {
            Created::New => {
                self.metrics
                    .count("Launches", &[(Dimension::Outcome, "accepted")]);
                self.run(&machine).await;
                Ok((machine.id, answer))
            }
            Created::Before { machine, answer } => Ok((machine, answer)),
            Created::OtherRequest => Err(refusal::key_reused()),
            Created::QuotaFull { limit } => Err(self.no_place(limit, drain.as_ref())),
        }
    }

    /// The request as it is written into the record, if nothing that is known now is against it.
    async fn look_at(
        &self,
        body: CreateMachine,
        caller: &Caller,
        address: &str,
    ) -> Result<MachineRequest, Problem> {
        let names_template = body.launch_template_id.is_some();
        let mut request = body
            .complete(&caller.name, &self.settings)
            .map_err(|error| Problem::new(Code::InvalidBody, error.to_string()))?;
        if let Some(staging) = &mut request.staging {
            self.admit(staging, caller, address).await?;
        }
        self.check(&mut request, names_template).await?;
        Ok(request)
    }

    /// Why there is no place for a machine.
    fn no_place(&self, limit: u32, drain: Option<&Drain>) -> Problem {
        if let Some(drain) = drain {
            self.count("create", "refused_by_drain");
            return refusal::draining(drain);
        }
        self.count("create", "refused_by_quota");
        refusal::quota(limit)
    }

    /// Starts the machine's execution. What cannot be started now, the sweep starts: the record is written.
    pub(crate) async fn run(&self, machine: &Machine) {
        match self.workflow.start(machine).await {
            Ok(()) => tracing::info!(machine_id = %machine.id, "accepted"),
            Err(error) => tracing::error!(
                machine_id = %machine.id,
                error = error_chain(&error),
                "the execution could not be started; left to the sweep"
            ),
        }
    }
}

fn accepted(id: &MachineId, answer: String) -> Response {
    (
        StatusCode::ACCEPTED,
        [
            (LOCATION, location(id)),
            (CONTENT_TYPE, "application/json".to_owned()),
        ],
        answer,
    )
        .into_response()
}

pub(crate) fn location(id: &MachineId) -> String {
    format!("/instances/{id}")
}
