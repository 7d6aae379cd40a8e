//! The simulator's own interface, below `/_sim/`: its state, faults, capacity, interruptions.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::config::Capacity;
use super::error::InterruptError;
use super::http::{Answer, json_answer};
use super::server::Shared;
use super::{fault_body, lifecycle, snapshot};

pub(super) async fn answer(
    shared: &Arc<Shared>,
    method: &Method,
    path: &str,
    body: &Bytes,
) -> Answer {
    match (method, path) {
        (&Method::GET, "state") => {
            let snapshot = snapshot::take(&shared.lock(), &shared.config);
            shown(StatusCode::OK, &snapshot)
        }
        (&Method::GET, "faults") => shown(
            StatusCode::OK,
            &json!({ "faults": shared.lock().faults.list() }),
        ),
        (&Method::POST, "faults") => arm(shared, body),
        (&Method::DELETE, "faults") => {
            shared.lock().faults.clear();
            shown(StatusCode::OK, &json!({ "faults": [] }))
        }
        (&Method::PUT, "capacity") => set_capacity(shared, body),
        (&Method::POST, _) if path.starts_with("interrupt/") => {
            match interrupt(shared, path.trim_start_matches("interrupt/")).await {
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
        (_, "state" | "faults" | "capacity") => refused(
            StatusCode::METHOD_NOT_ALLOWED,
            &format!("{method} is not allowed on /_sim/{path}"),
        ),
        _ => refused(
            StatusCode::NOT_FOUND,
            "there are GET /_sim/state, GET, POST and DELETE /_sim/faults, PUT /_sim/capacity, \
             POST /_sim/interrupt/{instance-id}",
        ),
    }
}

fn arm(shared: &Shared, body: &[u8]) -> Answer {
    let armed = fault_body::read(body).and_then(|fault| {
        let mut state = shared.lock();
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

/// Replaces the limits by those in the body: `[{"zone", "instance_type", "limit"}]`.
fn set_capacity(shared: &Shared, body: &[u8]) -> Answer {
    match serde_json::from_slice::<Vec<Capacity>>(body) {
        Ok(capacity) => {
            shared.lock().capacity.clone_from(&capacity);
            shown(StatusCode::OK, &json!({ "capacity": capacity }))
        }
        Err(error) => refused(
            StatusCode::BAD_REQUEST,
            &format!("a list of zone, instance_type, limit: {error}"),
        ),
    }
}

/// Gives a spot instance its notice.
pub(super) async fn interrupt(shared: &Shared, instance_id: &str) -> Result<(), InterruptError> {
    let now = shared.config.clock.now();
    {
        let mut state = shared.lock();
        let world = &mut state.world;
        let unknown = || InterruptError::Unknown(instance_id.to_owned());
        let instance = world.instances.get_mut(instance_id).ok_or_else(unknown)?;
        if !instance.is_spot() {
            return Err(InterruptError::NotSpot(instance_id.to_owned()));
        }
        if instance.running_since(now).is_none() || instance.interrupted_at.is_some() {
            return Err(InterruptError::NotRunning(instance_id.to_owned()));
        }
        lifecycle::interrupt(instance, now, &shared.config);
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
