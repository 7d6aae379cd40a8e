//! ec2-creator-local: each of its calls, the checks on what is created, the fields its users read, and the next steps
//! it had planned (tags, notifications, CloudWatch figures).

use std::time::Duration;

use haulout_api::Cors;
use haulout_domain::{guard::GuardRails, machine::Machine, plan::LaunchDefaults, status::Status};
use haulout_local::stack;
use haulout_tests::{gateway::GatewayEvent, settings::Settings, sns::Message, world::World};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{HOUR, KEY, X86_AMI, get, instance, ready, refused, settled, view, with};

/// A deployment with the guard rails that `cargo run -- --guard-rails free-tier` sets.
fn free_tier() -> Settings {
    let parameters = stack::GuardRails::FreeTier.parameters();
    let types = parameters["AllowedInstanceTypes"].split(',');
    let amis = parameters["AllowedAmis"].split(',');
    with(LaunchDefaults {
        guard_rails: GuardRails {
            instance_types: types.map(|it| it.parse().unwrap()).collect(),
            amis: amis.map(|it| it.parse().unwrap()).collect(),
            ..GuardRails::default()
        },
        ..LaunchDefaults::default()
    })
}

/// Its example of a request.
fn example() -> Value {
    json!({"name": "test-instance", "ami": X86_AMI, "instance_type": "t3.micro", "key_name": KEY})
}

async fn post(world: &World, machine: &Machine, verb: &str) -> (u16, Value) {
    let path = format!("/instances/{}/{verb}", machine.id);
    let answer = world.request(Method::POST, &path, None, None).await;
    answer.unwrap()
}

/// Lets the machine come to rest after a stop or a start.
async fn rests(world: &World, machine: &Machine) -> Machine {
    settled(world).await;
    world.machine(&machine.id).await
}

#[tokio::test]
async fn health_answers_ok() {
    let app = haulout_console::app(Cors::default());
    let answer = GatewayEvent::get("/health").send(&app).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"status": "ok"}))
    );
}

#[tokio::test]
async fn docs_open_and_show_every_call() {
    let app = haulout_console::app(Cors::default());
    let docs = GatewayEvent::get("/docs").send(&app).await;
    assert_eq!(docs.status, 200);
    assert!(docs.text().contains("swagger"), "{}", docs.text());
    let document = GatewayEvent::get("/openapi.json").send(&app).await.json();
    for (path, method) in [
        ("/health", "get"),
        ("/instances", "post"),
        ("/instances", "get"),
        ("/instances/{id}", "get"),
        ("/instances/{id}", "delete"),
        ("/instances/{id}/start", "post"),
        ("/instances/{id}/stop", "post"),
        ("/instances/{id}/metrics", "get"),
    ] {
        let operation = &document["paths"][path][method];
        assert!(
            operation["summary"].is_string(),
            "{method} {path}: {operation}"
        );
    }
}

#[tokio::test]
async fn create_makes_what_the_free_tier_covers() {
    let world = World::start(free_tier()).await;
    let machine = ready(&world, &example()).await;
    let launched = instance(&world, &machine);
    assert_eq!(launched.instance_type.as_deref(), Some("t3.micro"));
    assert_eq!(launched.image_id.as_deref(), Some(X86_AMI));
    // Of the images allowed, the newest one fits the other type by itself.
    let body = json!({"instance_type": "t4g.micro"});
    let machine = ready(&world, &body).await;
    assert_eq!(instance(&world, &machine).architecture, "arm64");
}

#[tokio::test]
async fn create_with_a_type_outside_the_free_tier_is_a_400_that_says_what_is_allowed() {
    let world = World::start(free_tier()).await;
    let mut body = example();
    body["instance_type"] = json!("t3.large");
    // The type that nobody named is not allowed either.
    for (body, value) in [(body, "t3.large"), (json!({}), "t3.medium")] {
        let (status, problem) = refused(&world, &body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("guard_rail")));
        let detail = problem["detail"].as_str().unwrap();
        for word in [value, "AllowedInstanceTypes", "t3.micro, t4g.micro"] {
            assert!(detail.contains(word), "{detail}");
        }
    }
    assert_eq!(world.sim.state().launched, 0);
}

#[tokio::test]
async fn create_with_an_ami_outside_the_free_tier_is_a_400_that_says_what_is_allowed() {
    let world = World::start(free_tier()).await;
    // One that does not exist, and a deep-learning image that does.
    for ami in ["ami-0123456789abcdef0", "ami-0a1b2c3d4e5f60003"] {
        let mut body = example();
        body["ami"] = json!(ami);
        let (status, problem) = refused(&world, &body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("guard_rail")));
        let detail = problem["detail"].as_str().unwrap();
        for word in [ami, "AllowedAmis", X86_AMI] {
            assert!(detail.contains(word), "{detail}");
        }
    }
    assert_eq!(world.sim.state().launched, 0);
}

#[tokio::test]
async fn list_shows_every_machine_newest_first() {
    let world = World::start(free_tier()).await;
    let empty = get(&world, "/instances").await;
    assert_eq!(
        (&empty["total"], &empty["instances"]),
        (&json!(0), &json!([]))
    );
    let first = ready(&world, &example()).await;
    world.jump(Duration::from_secs(1));
    let second = ready(&world, &example()).await;
    let list = get(&world, "/instances").await;
    assert_eq!(list["total"], 2);
    let instances = list["instances"].as_array().unwrap();
    let ids: Vec<&Value> = instances.iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, [&json!(second.id), &json!(first.id)]);
    assert_eq!(instances[0]["name"], "test-instance");
}

#[tokio::test]
async fn get_has_the_fields_its_users_read() {
    let world = World::start(free_tier()).await;
    let machine = ready(&world, &example()).await;
    let launched = instance(&world, &machine);
    let address = launched.public_ip.unwrap();
    let seen = view(&world, &machine).await;
    for (field, expected) in [
        ("id", json!(machine.id)),
        ("name", json!("test-instance")),
        ("public_ip", json!(address)),
        ("ami", json!(X86_AMI)),
        ("instance_type", json!("t3.micro")),
        ("state", json!("running")),
        (
            "ssh_string",
            json!(format!("ssh -i {KEY}.pem ec2-user@{address}")),
        ),
        ("backend_used", json!("haulout")),
    ] {
        assert_eq!(seen[field], expected, "{field}");
    }
    let time = |field: &str| -> Timestamp { seen[field].as_str().unwrap().parse().unwrap() };
    assert_eq!(time("created_at"), world.started);
    assert!(time("updated_at") > time("created_at"));
    let unknown = "/instances/m-00000000-0000-7000-8000-000000000000";
    let (status, _) = world
        .request(Method::GET, unknown, None, None)
        .await
        .unwrap();
    assert_eq!(status, 404);
}

#[tokio::test]
async fn stop_keeps_the_volume_and_gives_the_address_up() {
    let world = World::start(free_tier()).await;
    let machine = ready(&world, &example()).await;
    let volume = world.sim.state().volumes[0].volume_id.clone();
    let (status, answer) = post(&world, &machine, "stop").await;
    assert_eq!((status, &answer["status"]), (202, &json!("stopping")));
    let machine = rests(&world, &machine).await;
    assert_eq!(machine.status, Status::Stopped);
    let seen = view(&world, &machine).await;
    assert_eq!(
        (&seen["state"], &seen["public_ip"], &seen["status"]),
        (&json!("stopped"), &Value::Null, &json!("stopped"))
    );
    assert_eq!(world.sim.state().volumes[0].volume_id, volume);
    let (status, _) = post(&world, &machine, "stop").await;
    assert_eq!(status, 202, "stopping again changes nothing");
}

#[tokio::test]
async fn start_brings_it_up_again_at_another_address() {
    let world = World::start(free_tier()).await;
    let machine = ready(&world, &example()).await;
    let before = view(&world, &machine).await;
    post(&world, &machine, "stop").await;
    let machine = rests(&world, &machine).await;
    let (status, answer) = post(&world, &machine, "start").await;
    assert_eq!((status, &answer["status"]), (202, &json!("starting")));
    let machine = rests(&world, &machine).await;
    assert_eq!(machine.status, Status::Ready);
    let seen = view(&world, &machine).await;
    assert_eq!(seen["instance_id"], before["instance_id"]);
    assert_ne!(seen["public_ip"], before["public_ip"]);
    // The record has the new address by itself, without EC2 being asked for it.
    let listed = get(&world, "/instances").await;
    assert_eq!(listed["instances"][0]["public_ip"], seen["public_ip"]);
    let ssh = seen["ssh_string"].as_str().unwrap();
    assert!(ssh.ends_with(seen["public_ip"].as_str().unwrap()), "{ssh}");
}

#[tokio::test]
async fn destroy_ends_the_machine_and_its_volume() {
    let world = World::start(free_tier()).await;
    let machine = ready(&world, &example()).await;
    let path = format!("/instances/{}", machine.id);
    let answer = world.request(Method::DELETE, &path, None, None).await;
    let (status, answer) = answer.unwrap();
    assert_eq!((status, &answer["status"]), (202, &json!("terminating")));
    let machine = rests(&world, &machine).await;
    assert_eq!(machine.status, Status::Terminated);
    assert_eq!(instance(&world, &machine).state, "terminated");
    assert!(world.sim.state().volumes.is_empty());
    // It stays readable for a while.
    assert_eq!(view(&world, &machine).await["status"], "terminated");
}

#[tokio::test]
async fn next_step_tags_are_on_the_instance() {
    let world = World::start(free_tier()).await;
    let mut body = example();
    body["tags"] = json!({"project": "ec2-creator", "cost-center": "42"});
    let machine = ready(&world, &body).await;
    let tags = instance(&world, &machine).tags;
    assert_eq!(
        (&*tags["project"], &*tags["cost-center"]),
        ("ec2-creator", "42")
    );
    assert_eq!(tags["Name"], "test-instance");
    for key in ["aws:owner", "haulout:machine", "Name"] {
        body["tags"] = json!({key: "mine"});
        let (status, problem) = refused(&world, &body).await;
        assert_eq!(status, 400, "{key}: {problem}");
    }
}

/// E-mails on create, stop, start and destroy: messages of SNS, which sends e-mails.
#[tokio::test]
async fn next_step_notifications_tell_of_create_stop_start_and_destroy() {
    let world = World::start(free_tier()).await;
    let machine = ready(&world, &example()).await;
    for verb in ["stop", "start"] {
        post(&world, &machine, verb).await;
        rests(&world, &machine).await;
    }
    world.delete(&machine.id).await.unwrap();
    let gone = rests(&world, &machine).await;
    assert!(world.until(HOUR, async |world| world.is_idle()).await);
    let messages = world.sns.messages();
    let events: Vec<&str> = messages.iter().map(|it| &*it.attributes["event"]).collect();
    let expected = ["created", "ready", "stopped", "started", "terminated"];
    assert_eq!(events, expected);
    for (message, event) in messages.iter().zip(expected) {
        assert_eq!(message.subject, format!("test-instance {event}"));
        for (name, value) in [
            ("machine_id", machine.id.as_str()),
            ("owner", "admin"),
            ("source", "launch"),
            ("market", "on-demand"),
        ] {
            assert_eq!(message.attributes[name], value, "{name}");
        }
    }
    let told = |event: usize| lines(&messages[event]);
    let facts = machine.instance.as_ref().unwrap();
    let address = facts.public_ip.as_deref().unwrap();
    let up = told(1);
    for (label, value) in [
        ("Id", machine.id.as_str()),
        ("Instance", facts.id.as_str()),
        ("State", "running"),
        ("IP", address),
        ("Type", "t3.micro"),
        ("AMI", X86_AMI),
        ("SSH", &format!("ssh -i {KEY}.pem ec2-user@{address}")),
        ("Time", &machine.phase_entered_at().to_string()),
    ] {
        assert_eq!(up.get(label).map(String::as_str), Some(value), "{up:?}");
    }
    assert!(
        messages[1]
            .body
            .starts_with("Machine test-instance is ready.")
    );
    assert_eq!(told(2).get("State").map(String::as_str), Some("stopped"));
    assert_ne!(told(3).get("IP"), up.get("IP"), "the address it has now");
    let end = told(4);
    assert_eq!(end.get("Time"), Some(&gone.phase_entered_at().to_string()));
}

/// The labelled lines of a message's text.
fn lines(message: &Message) -> std::collections::BTreeMap<String, String> {
    let labelled = message.body.lines().filter(|line| !line.ends_with('.'));
    labelled
        .filter_map(|line| line.split_once("  "))
        .map(|(label, value)| (label.to_owned(), value.trim().to_owned()))
        .collect()
}

#[tokio::test]
async fn next_step_cloudwatch_figures_are_read_through_the_api() {
    let world = World::start(free_tier()).await;
    let machine = ready(&world, &example()).await;
    world.jump(Duration::from_mins(30));
    let path = format!("/instances/{}/metrics?period=300", machine.id);
    let figures = get(&world, &path).await;
    assert_eq!(figures["instance_id"], json!(machine.instance_id));
    assert_eq!(figures["period_seconds"], 300);
    let cpu = figures["cpu_utilization"].as_array().unwrap();
    assert!(cpu.len() >= 3, "{figures}");
    for point in cpu {
        let percent = point["percent"].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&percent), "{point}");
    }
    let checks = figures["status_check_failed"].as_array().unwrap();
    assert!(
        !checks.is_empty() && checks.iter().all(|it| it["value"] == 0.0),
        "{figures}"
    );
}
