//! How a scenario may end: what all deployments promise, and what this one is about.

use haulout_domain::machine::Machine;
use haulout_tests::{dynamo::CONTROL, verdict::broken_promises, world::World};
use serde_json::{Value, json};

use super::scenario::{Goal, Scenario};

/// What is wrong with the end of a scenario; nothing if all is well. `deleted` tells whether the case deletes the
/// machine.
pub(crate) async fn problems(scenario: Scenario, deleted: bool, world: &World) -> Vec<String> {
    let mut problems = broken_promises(world).await;
    if scenario.goal() == Goal::NothingLeft {
        // A stray is what no record explains.
        problems.retain(|problem| !problem.contains("cannot be traced"));
    }
    let machines = world.machines().await;
    let is_open = scenario == Scenario::Drained && world.store.drain().await.unwrap().is_none();
    if machines.len() > scenario.machines() + usize::from(is_open) {
        problems.push(format!("{} machines were made", machines.len()));
    }
    if scenario.must_survive() && !deleted && machines.iter().any(|it| it.closed_at.is_some()) {
        problems.push("an instance with somebody's work on it is gone".to_owned());
    }
    problems.extend(quota_is_right(scenario, &machines, world));
    problems
}

/// As many places are taken as there are machines that take one, and never were there too many at once.
fn quota_is_right(scenario: Scenario, machines: &[Machine], world: &World) -> Option<String> {
    let limit = scenario.settings().launch.guard_rails.max_machines?;
    let open = machines.iter().filter(|it| it.closed_at.is_none());
    let (open, counted) = (open.clone().count(), open.filter(|it| it.counted).count());
    let taken = places_taken(world);
    if taken != counted || counted != open {
        return Some(format!(
            "{taken} places are taken, {open} machines are open, {counted} of them counted"
        ));
    }
    let at_once = |machine: &Machine| {
        let at = machine.created_at;
        let is_there =
            |it: &&Machine| it.created_at <= at && it.closed_at.is_none_or(|end| end > at);
        machines.iter().filter(is_there).count()
    };
    let most = machines.iter().map(at_once).max().unwrap_or(0);
    (most > usize::try_from(limit).unwrap())
        .then(|| format!("{most} machines at once, {limit} are allowed"))
}

fn places_taken(world: &World) -> usize {
    let request = json!({"TableName": CONTROL, "Key": {"pk": {"S": "quota#admin"}}});
    let (status, answer) = world.dynamo.call("GetItem", request.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let taken = answer["Item"]["in_use"]["N"].as_str().unwrap_or("0");
    taken.parse().unwrap()
}
