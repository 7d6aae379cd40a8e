//! Whose a machine is: who may see it, who may change it, and who is shown it in a list.

use haulout_api::Caller;
use haulout_domain::{
    access::Role,
    ids::InstanceId,
    machine::{InstanceFacts, Machine},
    poll::Deadlines,
    pool::claim::Claim,
    status::Status,
};
use haulout_tests::{
    callers::{Callers, TOKEN},
    gateway::{Answer, GatewayEvent},
    world::POOL_GROUP,
};
use serde_json::{Value, json};

use super::support::Machines;

const EVERYBODY: [&str; 5] = ["reader", "bob", "ann", "operator", TOKEN];

async fn create_as(machines: &Machines, token: &str, body: &Value) -> Machine {
    let event = GatewayEvent::post("/instances", body.to_string());
    let answer = machines.send_as(token, event).await;
    assert_eq!(answer.status, 202, "{token}: {}", answer.text());
    let id = answer.json()["id"].as_str().unwrap().parse().unwrap();
    machines.world.machine(&id).await
}

async fn list_as(machines: &Machines, token: &str, query: &str) -> Value {
    let event = GatewayEvent::get(&format!("/instances{query}"));
    let answer = machines.send_as(token, event).await;
    assert_eq!(answer.status, 200, "{token}: {}", answer.text());
    answer.json()
}

fn owners(list: &Value) -> Vec<&str> {
    let machines = list["instances"].as_array().unwrap();
    machines
        .iter()
        .map(|machine| machine["owner"].as_str().unwrap())
        .collect()
}

/// Who gets past the question whose it is; the others are told that it is not theirs.
async fn admitted(machines: &Machines, method: &str, path: &str) -> Vec<&'static str> {
    let mut admitted = Vec::new();
    for token in EVERYBODY {
        let answer: Answer = machines
            .send_as(token, GatewayEvent::new(method, path))
            .await;
        if answer.status == 403 {
            let code = answer.problem(403);
            let has_role = token != "reader" || method == "GET";
            let expected = if has_role { "not_yours" } else { "forbidden" };
            assert_eq!(code, expected, "{token}: {method} {path}");
        } else {
            admitted.push(token);
        }
    }
    admitted
}

#[tokio::test]
async fn a_machine_is_seen_and_changed_by_whom_it_belongs_to_and_by_those_above() {
    let machines = Machines::plain().await;
    let machine = create_as(&machines, "ann", &json!({})).await;
    assert_eq!(machine.owner, "ann");
    let instance: InstanceId = "i-0123456789abcdef0".parse().unwrap();
    machines
        .change(&machine, |machine| {
            machine.instance_id = Some(instance.clone());
        })
        .await;
    let seen = ["reader", "ann", "operator", TOKEN];
    let changed = ["ann", "operator", TOKEN];
    for prefix in ["", "/api"] {
        for id in [machine.id.as_str(), instance.as_str()] {
            let path = format!("{prefix}/instances/{id}");
            assert_eq!(admitted(&machines, "GET", &path).await, seen, "{path}");
            let metrics = format!("{path}/metrics");
            assert_eq!(admitted(&machines, "GET", &metrics).await, seen);
            for verb in ["start", "stop"] {
                let path = format!("{path}/{verb}");
                assert_eq!(admitted(&machines, "POST", &path).await, changed, "{path}");
            }
        }
    }
    let before = machines.world.machine(&machine.id).await;
    for (token, code) in [("bob", "not_yours"), ("reader", "forbidden")] {
        let event = GatewayEvent::new("DELETE", &format!("/instances/{}", machine.id));
        let answer = machines.send_as(token, event).await;
        assert_eq!(answer.problem(403), code);
    }
    assert_eq!(machines.world.machine(&machine.id).await, before);
    let path = format!("/instances/{}", machine.id);
    assert_eq!(admitted(&machines, "DELETE", &path).await, changed);
    // One that is not there is nobody's secret.
    let event = GatewayEvent::get("/instances/m-01990c3e-6f5b-7a10-9b1e-3d2f4a5b6c7d");
    let answer = machines.send_as("bob", event).await;
    assert_eq!(answer.problem(404), "unknown_machine");
}

#[tokio::test]
async fn a_list_shows_a_user_the_users_own() {
    let machines = Machines::plain().await;
    let mut own = Vec::new();
    for number in 0..7 {
        own.push(create_as(&machines, "ann", &json!({})).await);
        if number % 2 == 0 {
            create_as(&machines, "bob", &json!({})).await;
        }
    }
    assert_eq!(owners(&list_as(&machines, "bob", "").await), ["bob"; 4]);
    for token in ["reader", "operator", TOKEN] {
        let list = list_as(&machines, token, "").await;
        assert_eq!((owners(&list).len(), &list["total"]), (11, &json!(11)));
    }
    let none = machines
        .send_as("nobody", GatewayEvent::get("/instances"))
        .await;
    assert_eq!(none.problem(403), "forbidden");
    // Page by page, newest first, with how many there are of the user's own.
    let (mut found, mut query) = (Vec::new(), "?limit=3".to_owned());
    loop {
        let list = list_as(&machines, "ann", &query).await;
        assert_eq!(list["total"], 7, "{query}");
        assert!(owners(&list).iter().all(|owner| *owner == "ann"));
        for machine in list["instances"].as_array().unwrap() {
            found.push(machine["id"].as_str().unwrap().to_owned());
        }
        match list["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    let expected: Vec<_> = own.iter().rev().map(|it| it.id.to_string()).collect();
    assert_eq!(found, expected);
    // A cursor of somebody else's list leads nowhere.
    let list = list_as(&machines, TOKEN, "?limit=3").await;
    let cursor = list["next_cursor"].as_str().unwrap();
    for token in ["ann", "bob"] {
        let event = GatewayEvent::get(&format!("/instances?limit=3&cursor={cursor}"));
        let answer = machines.send_as(token, event).await;
        assert_eq!(answer.problem(400), "invalid_cursor");
    }
}

#[tokio::test]
async fn filters_hold_in_a_list_of_ones_own() {
    let machines = Machines::plain().await;
    let ready = create_as(&machines, "ann", &json!({})).await;
    machines
        .change(&ready, |machine| machine.status = Status::Ready)
        .await;
    create_as(&machines, "ann", &json!({})).await;
    let theirs = create_as(&machines, "bob", &json!({})).await;
    machines
        .change(&theirs, |machine| machine.status = Status::Ready)
        .await;
    for (query, count) in [
        ("?status=ready", 1),
        ("?status=ready&source=launch", 1),
        ("?source=launch", 2),
        ("?status=waiting_for_instance", 1),
        ("?status=failed", 0),
        ("?source=pool", 0),
    ] {
        let list = list_as(&machines, "ann", query).await;
        assert_eq!(owners(&list), vec!["ann"; count], "{query}");
        assert_eq!(list["total"], count, "{query}");
    }
}

/// The pool's machines belong to `pool` until they are claimed; somebody may be called that.
#[tokio::test]
async fn a_machine_of_the_pool_is_its_claims_and_nobody_elses() {
    let cast = Callers::cast().and(Caller::new("pool", [Role::User]));
    let machines = Machines::with_callers(cast).await;
    let now = machines.world.clock.now();
    let found = Machine::discovered(POOL_GROUP, facts(), None, Deadlines::default(), now);
    let found = std::slice::from_ref(&found);
    machines.world.store.discover(found).await.unwrap();
    let [machine] = found else { unreachable!() };
    let path = format!("/instances/{}", machine.id);
    assert_eq!(owners(&list_as(&machines, "pool", "").await), [""; 0]);
    let get = |token: &'static str| machines.send_as(token, GatewayEvent::get(&path));
    for token in ["pool", "ann"] {
        assert_eq!(get(token).await.problem(403), "not_yours", "{token}");
    }
    assert_eq!(get("reader").await.status, 200);
    machines
        .change(machine, |machine| {
            machine.status = Status::Idle;
            assert!(machine.hand_out(Claim {
                project: "p".parse().unwrap(),
                owner: "ann".to_owned(),
                claimed_at: now,
                expires_at: None,
                moves: false,
            }));
        })
        .await;
    assert_eq!(get("ann").await.status, 200);
    for token in ["pool", "bob"] {
        assert_eq!(get(token).await.problem(403), "not_yours", "{token}");
    }
}

#[tokio::test]
async fn a_users_own_quota_counts_before_the_deployments() {
    let few = Caller {
        quota: Some(1),
        ..Caller::new("few", [Role::User])
    };
    let machines = Machines::with_callers(Callers::cast().and(few)).await;
    let create = || GatewayEvent::post("/instances", "{}");
    assert_eq!(machines.send_as("few", create()).await.status, 202);
    let answer = machines.send_as("few", create()).await;
    assert_eq!(answer.problem(429), "quota_exceeded");
    assert!(
        answer.detail().contains("You have 1 "),
        "{}",
        answer.detail()
    );
    for _ in 0..3 {
        assert_eq!(machines.send_as("ann", create()).await.status, 202);
    }
}

fn facts() -> InstanceFacts {
    let facts = json!({"id": "i-0123456789abcdef0", "state": "running"});
    serde_json::from_value(facts).unwrap()
}
