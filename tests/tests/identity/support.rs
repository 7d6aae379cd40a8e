//! The function in a test world, called as API Gateway calls it, behind the same door as in a deployment.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use haulout_api::{Auth, Conventions};
use haulout_aws::{
    clock::Clock,
    directory::{Directory, DirectoryTables},
    emf::Metrics,
    secrets::Secrets,
};
use haulout_identity::{Bootstrap, Identity, Params, Passwords, Settings, Signing};
use haulout_tests::{
    dynamo::{AUDIT, TOKENS, USERS},
    faults::{CallFault, Death, Fate, InvocationFault, Trouble},
    gateway::{Answer, GatewayEvent},
    template::OF_USERS,
    world::{DEPLOYMENT, World},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::vault::Vault;

/// The function's name among invocations.
const FUNCTION: &str = "identity";
pub(super) const SIGNING: &str = "signing";
pub(super) const KEYS: &str = "keys";
pub(super) const FIRST_ADMIN: &str = "first-admin";
pub(super) const PASSWORD: &str = "correct horse";
/// Cheap: what is tested is not how long guessing takes.
pub(super) const MEMORY_KIB: u32 = 8;

/// What a deployment is started with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    pub(super) shuffle: Option<u64>,
    pub(super) self_registration: bool,
    pub(super) memory_kib: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            shuffle: None,
            self_registration: true,
            memory_kib: MEMORY_KIB,
        }
    }
}

impl Setup {
    /// Invocations run at once in an order that a seed decides.
    pub(super) fn shuffled(seed: u64) -> Self {
        Self {
            shuffle: Some(seed),
            ..Self::default()
        }
    }
}

/// The function, and the world it is in.
pub(super) struct Users {
    pub(super) world: World,
    pub(super) vault: Vault,
    pub(super) directory: Directory,
    sdk: SdkConfig,
    app: Router,
}

impl Users {
    /// A deployment that nobody has logged in to.
    pub(super) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub(super) async fn start_with(setup: Setup) -> Self {
        let settings = haulout_tests::settings::Settings {
            shuffle: setup.shuffle,
            ..haulout_tests::settings::Settings::default()
        };
        let world = Box::pin(World::start(settings)).await;
        let _same = world.dynamo.clone().with(&OF_USERS);
        let vault = Vault::default();
        vault.put(SIGNING, &"a long secret ".repeat(4));
        let first = json!({"username": "root", "password": PASSWORD});
        vault.put(FIRST_ADMIN, &first.to_string());
        let client = vault.before(world.sdk_config().http_client().unwrap());
        let sdk = world.sdk_config().clone().into_builder();
        let sdk = sdk.http_client(client).build();
        let app = app(&sdk, &world, setup);
        Self {
            directory: Directory::new(&sdk, tables()),
            world,
            vault,
            sdk,
            app,
        }
    }

    /// Another process of the same function: it remembers nothing.
    pub(super) fn restart(&mut self, setup: Setup) {
        self.app = app(&self.sdk, &self.world, setup);
    }

    /// A deployment with its first administrator, and that one's token.
    pub(super) async fn with_admin() -> (Self, String) {
        let users = Self::start().await;
        let token = users.token("root", PASSWORD).await;
        (users, token)
    }

    pub(super) async fn send(&self, event: &GatewayEvent) -> Answer {
        self.try_to_send(event).await.unwrap()
    }

    /// Nothing when the function was killed.
    pub(super) async fn try_to_send(&self, event: &GatewayEvent) -> Option<Answer> {
        let answered = self.world.invoke(FUNCTION, || event.send(&self.app)).await;
        answered.ok()
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(&GatewayEvent::get(path).token(token)).await
    }

    pub(super) async fn login(&self, username: &str, password: &str) -> Answer {
        self.send(&login(username, password)).await
    }

    /// The token of a login that succeeds.
    pub(super) async fn token(&self, username: &str, password: &str) -> String {
        let answer = self.login(username, password).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// A user of this name, with the usual password.
    pub(super) async fn registered(&self, username: &str) {
        let answer = self.send(&register(username, PASSWORD)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    pub(super) async fn patch(&self, username: &str, change: &Value, token: &str) -> Answer {
        self.send(&patch(username, change, token)).await
    }

    pub(super) async fn delete(&self, username: &str, token: &str) -> Answer {
        self.send(&delete(username, token)).await
    }

    /// Lets as much time pass as the door remembers sessions.
    pub(super) fn let_sessions_be_forgotten(&self) {
        self.jump(16);
    }

    pub(super) fn jump(&self, seconds: u64) {
        self.world.jump(std::time::Duration::from_secs(seconds));
    }

    /// All items of a table.
    pub(super) fn items(&self, table: &str) -> Vec<Value> {
        let request = json!({"TableName": table, "ConsistentRead": true});
        let (status, answer) = self
            .world
            .dynamo
            .call("Scan", request.to_string().as_bytes());
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["Items"].as_array().unwrap().clone()
    }

    /// A user as it is stored.
    pub(super) fn stored(&self, username: &str) -> Value {
        let users = self.items(USERS);
        let is = |user: &&Value| user["username"]["S"] == username;
        users.iter().find(is).cloned().unwrap_or_default()
    }

    /// One call of the next invocation goes wrong: the one after so many.
    pub(super) fn trouble(&self, trouble: Trouble, skip: u32, times: u32) {
        self.world.faults.clear();
        self.world.faults.arm(CallFault {
            function: FUNCTION.to_owned(),
            action: None,
            trouble,
            skip,
            times,
            until: Timestamp::MAX,
        });
    }

    /// The next invocation is killed after so many calls.
    pub(super) fn doom(&self, after_calls: u32) {
        self.world.faults.clear();
        self.world.faults.doom(InvocationFault {
            function: FUNCTION.to_owned(),
            fate: Fate::Killed {
                after_calls,
                death: Death::Exit,
            },
            skip: 0,
            times: 1,
            until: Timestamp::MAX,
        });
    }
}

fn tables() -> DirectoryTables {
    DirectoryTables {
        users: USERS.to_owned(),
        tokens: TOKENS.to_owned(),
        audit: AUDIT.to_owned(),
    }
}

fn app(sdk: &SdkConfig, world: &World, setup: Setup) -> Router {
    let time = world.clock.clone();
    let clock = Clock::from_fn(move || time.now());
    let directory = Directory::new(sdk, tables());
    let secrets = Secrets::new(sdk);
    let params = Params::new(setup.memory_kib, 1, 1, None).unwrap();
    let state = Identity {
        directory: directory.clone(),
        secrets: secrets.clone(),
        settings: Settings {
            signing_secret: SIGNING.to_owned(),
            jwks_secret: KEYS.to_owned(),
            bootstrap_secret: Some(FIRST_ADMIN.to_owned()),
            self_registration: setup.self_registration,
            issuer: DEPLOYMENT.to_owned(),
        },
        passwords: Passwords::new(params),
        signing: Signing::default(),
        bootstrap: Bootstrap::default(),
        clock: clock.clone(),
        metrics: Metrics::to(DEPLOYMENT, std::io::sink()),
    };
    let auth = Auth::tokens(directory.clone(), secrets, KEYS, DEPLOYMENT, clock.clone());
    let conventions = Conventions {
        auth: Some(auth),
        audit: Some(directory),
        clock,
        ..Conventions::default()
    };
    haulout_identity::app(Arc::new(state), conventions)
}

pub(super) fn login(username: &str, password: &str) -> GatewayEvent {
    let body = json!({"username": username, "password": password});
    GatewayEvent::post("/login", body.to_string())
}

pub(super) fn register(username: &str, password: &str) -> GatewayEvent {
    let body = json!({"username": username, "password": password});
    GatewayEvent::post("/register", body.to_string())
}

pub(super) fn patch(username: &str, change: &Value, token: &str) -> GatewayEvent {
    GatewayEvent::post(&format!("/users/{username}"), change.to_string())
        .method("PATCH")
        .token(token)
}

pub(super) fn delete(username: &str, token: &str) -> GatewayEvent {
    GatewayEvent::new("DELETE", &format!("/users/{username}")).token(token)
}

/// A change of the own password.
pub(super) fn change_password(password: &str, new_password: &str, token: &str) -> GatewayEvent {
    let body = json!({"password": password, "new_password": new_password});
    GatewayEvent::post("/me", body.to_string())
        .method("PATCH")
        .token(token)
}
