//! The simulator's own interface, below `/_sim/`: its state, faults, what is scarce, interruptions.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::InterruptError;
use super::lifecycle::Interruption;
use super::reply::{Answer, json_answer};
use super::server::Shared;
use super::{autoscaling, fault_body, lifecycle, snapshot};

pub(super) async fn answer(
    shared: &Arc<Shared>,
    method: &Method,
    path: &str,
    body: &Bytes,
) -> Answer {
    match (method, path) {
        (&Method::GET, "state") => {
            let snapshot = snapshot::take(&shared.settled(), &shared.config);
            shown(StatusCode::OK, &snapshot)
        }
        (&Method::GET, "faults") => shown(
            StatusCode::OK,
            &json!({ "faults": shared.lock().faults.list() }),
        ),
        (&Method::POST, "faults") => arm(shared, body),
        (&Method::DELETE, "faults") => {
            shared.settled().faults.clear();
            shown(StatusCode::OK, &json!({ "faults": [] }))
        }
        (&Method::PUT, "capacity") => set(
            body,
            "a list of zone, instance_type, market, limit",
            |rows| {
                shared.settled().limits.capacity = rows;
            },
        ),
        (&Method::PUT, "spot-prices") => {
            set(body, "a list of zone, instance_type, price", |rows| {
                shared.settled().limits.spot_prices = rows;
            })
        }
        (&Method::PUT, "spot-limit") => set(body, "a number of instances, or null", |limit| {
            shared.settled().limits.spot_instances = limit;
        }),
        (&Method::PUT, "addresses") => set(body, "an object of subnet ids and numbers", |rows| {
            shared.settled().limits.addresses = rows;
        }),
        (&Method::POST, _) if path.starts_with("interrupt/") => {
            let id = path.trim_start_matches("interrupt/");
            let because = if body.is_empty() {
                Ok(Interruption::NoCapacity)
            } else {
                serde_json::from_slice(body)
            };
            let Ok(because) = because else {
                let text = "the body may be \"no-capacity\" or \"price\"";
                return refused(StatusCode::BAD_REQUEST, text);
            };
            match interrupt(shared, id, because).await {
                Ok(()) => shown(
                    StatusCode::ACCEPTED,
                    &json!({ "status": "marked-for-termination" }),
                ),
                Err(error @ InterruptError::Unknown(_)) => {
                    refused(StatusCode::NOT_FOUND, &error.to_string())
                }
                Err(error) => refused(StatusCode::CONFLICT, &error.to_string()),
            }
        }
        (_, "state" | "faults" | "capacity" | "spot-prices" | "spot-limit" | "addresses") => {
            refused(
                StatusCode::METHOD_NOT_ALLOWED,
                &format!("{method} is not allowed on /_sim/{path}"),
            )
        }
        _ => refused(
            StatusCode::NOT_FOUND,
            "there are GET /_sim/state, GET, POST and DELETE /_sim/faults, PUT /_sim/capacity, \
             PUT /_sim/spot-prices, PUT /_sim/spot-limit, PUT /_sim/addresses, POST /_sim/interrupt/{instance-id}",
        ),
    }
}

fn arm(shared: &Shared, body: &[u8]) -> Answer {
    let armed = fault_body::read(body).and_then(|fault| {
        let mut state = shared.settled();
        state.faults.arm(fault)?;
        Ok(state.faults.list())
    });
    match armed {
        Ok(faults) => shown(StatusCode::CREATED, &json!({ "faults": faults })),
        Err(error) => shown(
            StatusCode::BAD_REQUEST,
            &json!({ "error": error.to_string(), "field": error.field }),
        ),
    }
}

/// Replaces something by what is in the body, and shows it.
fn set<T: DeserializeOwned + Serialize>(
    body: &[u8],
    expected: &str,
    replace: impl FnOnce(T),
) -> Answer {
    match serde_json::from_slice::<T>(body) {
        Ok(value) => {
            let answer = shown(StatusCode::OK, &value);
            replace(value);
            answer
        }
        Err(error) => refused(StatusCode::BAD_REQUEST, &format!("{expected}: {error}")),
    }
}

/// Gives a spot instance its notice.
pub(super) async fn interrupt(
    shared: &Shared,
    instance_id: &str,
    because: Interruption,
) -> Result<(), InterruptError> {
    let now = shared.config.clock.now();
    {
        let mut state = shared.settled();
        let world = &mut state.world;
        let unknown = || InterruptError::Unknown(instance_id.to_owned());
        let instance = world.instances.get_mut(instance_id).ok_or_else(unknown)?;
        if !instance.is_spot() {
            return Err(InterruptError::NotSpot(instance_id.to_owned()));
        }
        if instance.running_since(now).is_none() || instance.interrupted_at.is_some() {
            return Err(InterruptError::NotRunning(instance_id.to_owned()));
        }
        lifecycle::interrupt(instance, because, now, &shared.config);
        autoscaling::disturbed(world, instance_id);
        world.touch();
    }
    shared.announce();
    shared.save().await;
    Ok(())
}

fn shown(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_value(body) {
        Ok(body) => json_answer(status, &body),
        Err(error) => json_answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!({ "error": error.to_string() }),
        ),
    }
}

fn refused(status: StatusCode, error: &str) -> Answer {
    json_answer(status, &Value::from_iter([("error", error)]))
}
