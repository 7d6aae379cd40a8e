//! A service that has all routes of openapi.json and nothing behind them, users in a directory, and their tokens.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use axum::{
    Router,
    routing::{MethodFilter, on},
};
use haulout_api::{
    Auth, Conventions,
    auth::{Asked, TokenStore},
    keys::SigningKeys,
    service::ServiceApi,
};
use haulout_aws::{
    clock::Clock,
    directory::{Directory, DirectoryTables, Made, Names},
    secrets::Secret,
};
use haulout_domain::{
    access::Role,
    identity::{Claims, Session, User},
};
use haulout_tests::{
    call::{Action, Service},
    dynamo::{AUDIT, TOKENS, USERS},
    faults::{CallFault, Trouble},
    gateway::{ACCOUNT, Answer, GatewayEvent, SERVICE_API_ID},
    settings::Settings,
    world::World,
};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

pub(super) const ISSUER: &str = "haulout";
pub(super) const SECRET: &str = "the-secret-of-this-deployment-0123456789-0123456789";
/// The function's name among invocations.
const FUNCTION: &str = "service";

/// The service, and the world it is in.
pub(super) struct House {
    pub(super) world: World,
    pub(super) directory: Directory,
    pub(super) app: Router,
    key_fetches: Arc<AtomicU32>,
    jwks: Arc<Mutex<String>>,
}

/// The directory as it is deployed, and keys that are published without Secrets Manager.
struct Published {
    directory: Directory,
    jwks: Arc<Mutex<String>>,
    fetches: Arc<AtomicU32>,
}

impl TokenStore for Published {
    fn published_keys(&self) -> Asked<'_, Secret> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let jwks = Secret::new(self.jwks.lock().unwrap().clone());
        Box::pin(async { Ok(jwks) })
    }

    fn user<'a>(&'a self, claims: &'a Claims, now: Timestamp) -> Asked<'a, Option<User>> {
        Box::pin(async move {
            let found = self
                .directory
                .session(&claims.jti, &claims.sub, now)
                .await?;
            Ok(found.map(|(_, user)| user))
        })
    }
}

impl House {
    pub(super) async fn start() -> Self {
        Self::with_services(None).await
    }

    /// With the second API, whose callers have this role.
    pub(super) async fn with_services(role: Option<Role>) -> Self {
        let world = Box::pin(World::start(Settings::default())).await;
        let tables = ["UsersTable", "TokensTable", "AuditTable"];
        let _same_database = world.dynamo.clone().with(&tables);
        let names = DirectoryTables {
            users: USERS.to_owned(),
            tokens: TOKENS.to_owned(),
            audit: AUDIT.to_owned(),
        };
        let directory = Directory::new(world.sdk_config(), names);
        let jwks = SigningKeys::derive(SECRET, world.clock.now()).jwks();
        let (jwks, key_fetches) = (Arc::new(Mutex::new(jwks)), Arc::default());
        let store = Published {
            directory: directory.clone(),
            jwks: Arc::clone(&jwks),
            fetches: Arc::clone(&key_fetches),
        };
        let time = world.clock.clone();
        let clock = Clock::from_fn(move || time.now());
        let conventions = Conventions {
            auth: Some(Auth::store(store, ISSUER, clock.clone())),
            audit: Some(directory.clone()),
            service: role.map(|role| ServiceApi {
                id: SERVICE_API_ID.to_owned(),
                account: ACCOUNT.to_owned(),
                role,
            }),
            clock,
            ..Conventions::default()
        };
        Self {
            app: haulout_api::app(stubs(), conventions),
            world,
            directory,
            key_fetches,
            jwks,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    pub(super) async fn send(&self, event: GatewayEvent) -> Answer {
        let answered = self.world.invoke(FUNCTION, || event.send(&self.app)).await;
        answered.unwrap()
    }

    /// GET /me with a token: what anybody may who is somebody.
    pub(super) async fn me(&self, token: &str) -> Answer {
        self.send(GatewayEvent::get("/me").token(token)).await
    }

    /// A user who is registered now.
    pub(super) async fn user(&self, name: &str, roles: &[Role]) -> User {
        let user = User::new(
            name.parse().unwrap(),
            "no hash at all".to_owned(),
            roles.iter().copied().collect(),
            [].into(),
            None,
            self.now(),
        );
        let made = self
            .directory
            .create_user(&user, Names::Free, None, self.now())
            .await;
        assert_eq!(made.unwrap(), Made::New);
        user
    }

    /// A session of a user.
    pub(super) async fn session(&self, user: &User) -> Session {
        let session = Session::new(user, self.now());
        self.directory.start_session(&session).await.unwrap();
        session
    }

    /// The token of somebody who registers and logs in.
    pub(super) async fn log_in(&self, name: &str, roles: &[Role]) -> String {
        let user = self.user(name, roles).await;
        self.token(&self.session(&user).await)
    }

    pub(super) fn token(&self, session: &Session) -> String {
        self.sign(&session.claims(ISSUER))
    }

    /// A token that says this, signed as the deployment does.
    pub(super) fn sign(&self, claims: &Claims) -> String {
        SigningKeys::derive(SECRET, self.now())
            .sign(claims)
            .unwrap()
    }

    /// Publishes other keys.
    pub(super) fn publish(&self, secret: &str) {
        *self.jwks.lock().unwrap() = SigningKeys::derive(secret, self.now()).jwks();
    }

    /// How often the service called DynamoDB, and fetched keys, since this was asked last.
    pub(super) fn calls(&self, seen: &mut usize) -> (usize, u32) {
        let all = self.world.faults.log().len();
        let new = all - std::mem::replace(seen, all);
        (new, self.key_fetches.swap(0, Ordering::SeqCst))
    }

    /// From now on DynamoDB answers an action with this.
    pub(super) fn break_down(&self, action: &str, trouble: Trouble) {
        let action = Action {
            service: Service::DynamoDb,
            name: action.to_owned(),
        };
        let fault = CallFault::new(FUNCTION, &action, trouble);
        self.world.faults.arm(fault);
    }
}

/// Every operation of openapi.json, and of the code should that be ahead of it: method and path.
pub(super) fn operations() -> BTreeSet<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi.json");
    let written: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let code = haulout_api::openapi::document([
        haulout_console::openapi(),
        haulout_identity::openapi(),
        haulout_instances::openapi(),
        haulout_packages::openapi(),
        haulout_pool::openapi(),
    ]);
    let mut operations = BTreeSet::new();
    for document in [written, serde_json::to_value(code).unwrap()] {
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                operations.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    operations
}

/// Each operation answers 204, whoever gets so far.
fn stubs() -> Router {
    operations()
        .into_iter()
        .fold(Router::new(), |router, (method, path)| {
            let method: Method = method.parse().unwrap();
            let filter = MethodFilter::try_from(method).unwrap();
            router.route(&path, on(filter, async || StatusCode::NO_CONTENT))
        })
}
