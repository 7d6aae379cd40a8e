//! POST /instances with a package: who gets it is judged once, and what no machine can stage is refused at once.

use haulout_aws::registry::DownloadStatus;
use haulout_domain::{package::Package, staging::limit::most_unpacked};
use haulout_tests::{
    gateway::{Answer, GatewayEvent},
    packages::{Packages, package},
};
use serde_json::{Value, json};

use super::support::Machines;

const MODEL: &str = "model@1.0.0";

async fn with_model() -> (Machines, Packages, Package) {
    let machines = Box::pin(Machines::plain()).await;
    let packages = Packages::of(&machines.world);
    let model = package(&machines.world, MODEL);
    packages.keep(&model).await;
    (machines, packages, model)
}

/// As ann, with an idempotency key.
async fn ask(machines: &Machines, key: &str, body: &Value) -> Answer {
    let event = GatewayEvent::post("/instances", body.to_string());
    let event = event.header("idempotency-key", key);
    machines.send_as("ann", event).await
}

fn of_model() -> Value {
    json!({"package": MODEL})
}

#[tokio::test]
async fn a_machine_gets_what_the_registry_knows_of_its_package() {
    let (machines, packages, model) = with_model().await;
    let machine = machines.create(&of_model()).await;
    let staging = machine.staging.unwrap();
    assert_eq!(staging.package_key.as_ref(), Some(&model.key));
    assert_eq!(staging.sha256, model.sha256);
    assert_eq!(staging.size_bytes, Some(model.size_bytes));
    let history = packages.history("admin").await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].status, DownloadStatus::Allowed);
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_before_whatever_became_of_its_package() {
    let (machines, packages, model) = with_model().await;
    let first = ask(&machines, "once", &of_model()).await;
    assert_eq!(first.status, 202, "{}", first.text());
    assert_eq!(packages.history("ann").await.len(), 1);
    let again = async |what: &str| {
        let before = machines.world.faults.log().len();
        let again = ask(&machines, "once", &of_model()).await;
        assert_eq!(again.status, 202, "{what}: {}", again.text());
        assert_eq!(again.json(), first.json(), "{what}");
        let calls = machines.world.faults.log().split_off(before);
        let calls: Vec<String> = calls.into_iter().map(|it| it.action.name).collect();
        assert_eq!(calls, ["GetItem"], "{what}");
        assert_eq!(packages.history("ann").await.len(), 1, "{what}");
    };
    again("nothing changed").await;
    packages
        .change(&model, |it| it.rule = Some("false".to_owned()))
        .await;
    again("the rule turned").await;
    packages.registry.delete_package(&model).await.unwrap();
    again("the package was deleted").await;
    assert_eq!(machines.world.machines().await.len(), 1);

    // What is new is judged, and a key is for one body.
    let new = ask(&machines, "twice", &of_model()).await;
    assert_eq!(new.problem(404), "unknown_package");
    let other = ask(&machines, "once", &json!({"package": "model@2.0.0"})).await;
    assert_eq!(other.problem(409), "idempotency_key_reused");
}

#[tokio::test]
async fn what_no_machine_can_stage_is_refused_at_once() {
    let (machines, packages, model) = with_model().await;
    let most = most_unpacked(model.size_bytes);
    packages.change(&model, |it| it.unpacked_bytes = most).await;
    machines.create(&of_model()).await;
    packages
        .change(&model, |it| it.unpacked_bytes = most + 1)
        .await;
    let (code, detail) = machines.refused(&of_model(), 400).await;
    assert_eq!(code, "invalid_body");
    assert!(detail.contains("zip -0"), "{detail}");
    packages.change(&model, |it| it.has_script = false).await;
    let (code, detail) = machines.refused(&of_model(), 400).await;
    assert_eq!(code, "invalid_body");
    assert!(detail.contains("model/script.sh"), "{detail}");
}
