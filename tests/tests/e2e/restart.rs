//! Stopping and starting the stack.

use serde_json::Value;

use super::fixture::Fixture;

pub(super) async fn the_records_survive(fixture: Fixture) {
    let before = fixture.api.get("/instances?limit=100").await.json;
    let Fixture { stack, folder, .. } = fixture;
    stack.shutdown().await.expect("a clean end");

    let fixture = Fixture::within(folder).await;
    let after = fixture.api.get("/instances?limit=100").await.json;
    let ids = |list: &Value| -> Vec<Value> {
        let machines = list["instances"].as_array().expect("a list");
        machines
            .iter()
            .map(|machine| machine["id"].clone())
            .collect()
    };
    assert_eq!(ids(&after), ids(&before));
    fixture.stack.shutdown().await.expect("a clean end");
}
