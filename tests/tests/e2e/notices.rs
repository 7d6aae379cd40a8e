//! Notifications as a subscriber gets them: the stream of the records, the function, the topic, and a subscription.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_credential_types::Credentials;
use aws_sdk_sns::{
    Client,
    config::{BehaviorVersion, Region},
};
use axum::{Router, extract::State, routing::post};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::fixture::{Fixture, PATIENCE, text};

/// The topic, of the local stack's account.
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:haulout-notifications";

type Messages = Arc<Mutex<Vec<Value>>>;

/// A subscriber on this computer. It ends when it is dropped.
struct Subscriber {
    messages: Messages,
    server: JoinHandle<()>,
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Subscriber {
    /// Subscribes to what is told of one machine, whose name is its owner's choice; confirms, as SNS asks for.
    async fn start(fixture: &Fixture, machine: &str) -> Self {
        let messages = Messages::default();
        let take = |State(messages): State<Messages>, body: String| async move {
            let message = serde_json::from_str(&body).expect("SNS sends JSON");
            lock(&messages).push(message);
        };
        let app = Router::new()
            .route("/", post(take))
            .with_state(Arc::clone(&messages));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("a server");
        });
        let subscriber = Self { messages, server };
        let sns = client(fixture);
        let filter = json!({"machine_id": [machine]}).to_string();
        sns.subscribe()
            .topic_arn(TOPIC)
            .protocol("http")
            .endpoint(format!("http://{address}/"))
            .attributes("FilterPolicy", filter)
            .send()
            .await
            .expect("a subscription");
        let asked = subscriber
            .wait(fixture, machine, |all| {
                all.iter()
                    .any(|it| it["Type"] == "SubscriptionConfirmation")
            })
            .await;
        let token = text(&asked[0], "Token");
        sns.confirm_subscription()
            .topic_arn(TOPIC)
            .token(token)
            .send()
            .await
            .expect("a confirmed subscription");
        subscriber
    }

    /// The messages, once they are enough.
    async fn wait(
        &self,
        fixture: &Fixture,
        machine: &str,
        enough: fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let seen = |_: &Value| enough(&lock(&self.messages));
        fixture.api.until(machine, PATIENCE, seen).await;
        lock(&self.messages).clone()
    }
}

fn lock(messages: &Messages) -> std::sync::MutexGuard<'_, Vec<Value>> {
    messages.lock().unwrap_or_else(PoisonError::into_inner)
}

fn client(fixture: &Fixture) -> Client {
    let account = "000000000000";
    let config = aws_sdk_sns::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(&fixture.stack.addresses.aws_endpoint_url)
        .credentials_provider(Credentials::new(account, "local", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

pub(super) async fn a_subscriber_is_told_of_a_machines_life(fixture: &Fixture) {
    let body = json!({"name": "told", "key_name": "my_ec2_keypair"});
    let machine = fixture.ready(&body).await;
    let id = text(&machine, "id");
    let subscriber = Subscriber::start(fixture, id).await;
    fixture.power(id, "stop", "stopped").await;
    let again = fixture.power(id, "start", "ready").await;
    fixture.end(id).await;
    let messages = subscriber
        .wait(fixture, id, |all| {
            let told = |it: &Value| it["Subject"] == "told terminated";
            all.iter().any(told)
        })
        .await;
    // At least once each: the stream may be delivered again.
    let by_subject: BTreeMap<&str, &Value> = messages
        .iter()
        .filter(|it| it["Type"] == "Notification")
        .map(|it| (text(it, "Subject"), it))
        .collect();
    let subjects: Vec<&str> = by_subject.keys().copied().collect();
    assert_eq!(
        subjects,
        ["told started", "told stopped", "told terminated"]
    );
    let started = by_subject["told started"];
    let attribute = |name: &str| &started["MessageAttributes"][name]["Value"];
    for (name, value) in [
        ("event", "started"),
        ("machine_id", id),
        ("owner", "admin"),
        ("source", "launch"),
        ("market", "on-demand"),
    ] {
        assert_eq!(attribute(name), value, "{started}");
    }
    let message = text(started, "Message");
    assert!(
        message.starts_with("Machine told is ready again."),
        "{message}"
    );
    for field in [
        "id",
        "instance_id",
        "public_ip",
        "instance_type",
        "ami",
        "ssh_string",
    ] {
        assert!(message.contains(text(&again, field)), "{field}: {message}");
    }
}
