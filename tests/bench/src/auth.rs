//! What it costs to know who calls: the time that a token adds to a request, and AWS calls. DynamoDB is an engine in this
//! process, so what is said of a request that reads the session is the work, and not the way to AWS and back.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use haulout_api::{
    Auth, Conventions,
    auth::{Asked, TokenStore},
    keys::SigningKeys,
};
use haulout_aws::{
    clock::Clock,
    directory::{Directory, DirectoryTables, Names},
    secrets::Secret,
};
use haulout_domain::{
    access::Role,
    identity::{Claims, Session, User},
};
use haulout_tests::{
    dynamo::{AUDIT, TOKENS, USERS},
    settings::Settings,
    template::OF_USERS,
    world::World,
};
use http::{Method, Request, StatusCode, header::AUTHORIZATION};
use jiff::Timestamp;
use tower::ServiceExt as _;

use crate::meter::{Meter, Metered};

const ISSUER: &str = "haulout";
const SECRET: &str = "the-secret-of-this-benchmark-0123456789-0123456789";
/// Requests of a line.
const REQUESTS: u32 = 2_000;
/// Requests after which everything is as it will be.
const WARM_UP: u32 = 200;
/// Longer than a session is believed without being read.
const LONGER: Duration = Duration::from_secs(16);

/// Prints a line for each kind of request.
pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let world = Box::pin(World::start(Settings::default())).await;
    let _same_database = world.dynamo.clone().with(&OF_USERS);
    let (sdk, meter) = Meter::before(world.sdk_config())?;
    let names = DirectoryTables {
        users: USERS.to_owned(),
        tokens: TOKENS.to_owned(),
        audit: AUDIT.to_owned(),
    };
    let bench = Bench {
        directory: Directory::new(&sdk, names),
        world,
        meter,
    };
    let token = bench.log_in().await?;
    let app = bench.app();
    println!("| request | p50 µs | p99 µs | DynamoDB calls | reads of the keys |");
    println!("|---|---|---|---|---|");
    let none = Call::get("/health", None);
    let known = Call::get("/me", Some(&token));
    let change = Call {
        method: Method::POST,
        ..Call::get("/instances", Some(&token))
    };
    bench.line("without a token", &none, || app.clone()).await?;
    bench
        .line("a session read in the last 15 s", &known, || app.clone())
        .await?;
    bench
        .line("a session read before that", &known, || {
            bench.world.jump(LONGER);
            app.clone()
        })
        .await?;
    bench
        .line("the first of a sandbox", &known, || bench.app())
        .await?;
    bench
        .line("a change, which is audited", &change, || app.clone())
        .await?;
    Ok(())
}

struct Bench {
    world: World,
    directory: Directory,
    meter: Meter,
}

/// A request that is made again and again.
struct Call<'a> {
    method: Method,
    path: &'static str,
    token: Option<&'a str>,
}

impl<'a> Call<'a> {
    fn get(path: &'static str, token: Option<&'a str>) -> Self {
        Self {
            method: Method::GET,
            path,
            token,
        }
    }

    async fn send(&self, app: Router) -> Result<StatusCode, Box<dyn Error>> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(self.path);
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer = app.oneshot(request.body(Body::empty())?).await?;
        Ok(answer.status())
    }
}

impl Bench {
    /// A sandbox: three routes with nothing behind them, and a cache of its own.
    fn app(&self) -> Router {
        let time = self.world.clock.clone();
        let clock = Clock::from_fn(move || time.now());
        let nothing = async || StatusCode::NO_CONTENT;
        let routes = Router::new()
            .route("/health", get(nothing))
            .route("/me", get(nothing))
            .route("/instances", post(nothing));
        let store = Published {
            directory: self.directory.clone(),
            jwks: SigningKeys::derive(SECRET, clock.now()).jwks(),
            meter: self.meter.clone(),
        };
        let conventions = Conventions {
            auth: Some(Auth::store(store, ISSUER, clock.clone())),
            audit: Some(self.directory.clone()),
            clock,
            ..Conventions::default()
        };
        haulout_api::app(routes, conventions)
    }

    async fn log_in(&self) -> Result<String, Box<dyn Error>> {
        let now = self.world.clock.now();
        let roles = [Role::User].into();
        let user = User::new("ann".parse()?, String::new(), roles, [].into(), None, now);
        self.directory
            .create_user(&user, Names::Unused, None, now)
            .await?;
        let session = Session::new(&user, now);
        self.directory.start_session(&session).await?;
        Ok(SigningKeys::derive(SECRET, now).sign(&session.claims(ISSUER))?)
    }

    /// Many requests, each to the sandbox that is there for it.
    async fn line(
        &self,
        name: &str,
        call: &Call<'_>,
        app: impl Fn() -> Router,
    ) -> Result<(), Box<dyn Error>> {
        let mut times = Vec::new();
        let mut metered = Metered::default();
        for number in 0..WARM_UP + REQUESTS {
            let app = app();
            self.meter.take();
            let begun = Instant::now();
            let status = call.send(app).await?;
            let took = begun.elapsed();
            if status != StatusCode::NO_CONTENT {
                return Err(format!("{name}: {status}").into());
            }
            if number >= WARM_UP {
                times.push(took);
                metered.add(self.meter.take());
            }
        }
        times.sort_unstable();
        let percentile = |part: usize| times[(times.len() - 1) * part / 100].as_micros();
        let keys = metered.calls.remove(KEYS).unwrap_or_default();
        let each = |count: u32| f64::from(count) / f64::from(REQUESTS);
        println!(
            "| {name} | {} | {} | {:.2} | {:.2} |",
            percentile(50),
            percentile(99),
            each(metered.total()),
            each(keys),
        );
        Ok(())
    }
}

/// What the meter calls a read of the keys.
const KEYS: &str = "secretsmanager:GetSecretValue";

/// The directory as it is deployed, and keys that are published without Secrets Manager; reads of them are metered.
struct Published {
    directory: Directory,
    jwks: String,
    meter: Meter,
}

impl TokenStore for Published {
    fn published_keys(&self) -> Asked<'_, Secret> {
        self.meter.count(KEYS);
        Box::pin(async { Ok(Secret::new(self.jwks.clone())) })
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
