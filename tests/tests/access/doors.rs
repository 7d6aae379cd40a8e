//! Every route, tried by everybody.

use std::collections::BTreeMap;

use haulout_domain::access::{Role, access_of};
use haulout_tests::gateway::GatewayEvent;
use jiff::SignedDuration;

use super::support::{House, ISSUER, operations};

/// Who gets in where: `*` everybody, else anybody with a token (`n`), or a reader, user, operator, admin. Written by hand:
/// whoever opens or closes a door says so here as well.
const DOORS: &[(&str, &str)] = &[
    ("GET /", "*"),
    ("GET /docs", "*"),
    ("GET /health", "*"),
    ("GET /openapi.json", "*"),
    ("POST /register", "*"),
    ("POST /login", "*"),
    ("GET /me", "nruoa"),
    ("PATCH /me", "nruoa"),
    ("POST /logout", "nruoa"),
    ("GET /users", "a"),
    ("PATCH /users/{username}", "a"),
    ("DELETE /users/{username}", "a"),
    ("GET /instances", "ruoa"),
    ("POST /instances", "uoa"),
    ("GET /instances/{id}", "ruoa"),
    ("DELETE /instances/{id}", "uoa"),
    ("GET /instances/{id}/metrics", "ruoa"),
    ("POST /instances/{id}/start", "uoa"),
    ("POST /instances/{id}/stop", "uoa"),
    ("GET /api/instances", "ruoa"),
    ("POST /api/instances", "uoa"),
    ("GET /api/instances/{id}", "ruoa"),
    ("DELETE /api/instances/{id}", "uoa"),
    ("GET /api/instances/{id}/metrics", "ruoa"),
    ("POST /api/instances/{id}/start", "uoa"),
    ("POST /api/instances/{id}/stop", "uoa"),
    ("GET /drain", "ruoa"),
    ("POST /drain", "a"),
    ("DELETE /drain", "a"),
    ("GET /{project_id}", "uoa"),
    ("GET /projects/{project_id}/machine", "ruoa"),
    ("PUT /projects/{project_id}/machine", "uoa"),
    ("DELETE /projects/{project_id}/machine", "uoa"),
    ("GET /pool", "ruoa"),
    ("PUT /pool", "a"),
    ("GET /status", "ruoa"),
    ("POST /destroy", "uoa"),
    ("POST /init", "uoa"),
    ("POST /part/{upload_id}", "uoa"),
    ("POST /commit/{upload_id}", "uoa"),
    ("POST /abort/{upload_id}", "uoa"),
    ("GET /uploads/{upload_id}", "ruoa"),
    ("POST /register-package", "oa"),
    ("GET /packages", "ruoa"),
    ("POST /packages/sync", "a"),
    ("POST /tickets/redeem", "*"),
    ("GET /packages/{name}/{version}", "ruoa"),
    ("DELETE /packages/{name}/{version}", "uoa"),
    ("GET /download/{name}/{version}", "ruoa"),
    ("POST /validate", "ruoa"),
    ("GET /history/{user_id}", "ruoa"),
];

pub(super) fn door(method: &str, path: &str) -> &'static str {
    let wanted = format!("{method} {path}");
    let found = DOORS.iter().find(|(route, _)| *route == wanted);
    found.map_or("", |(_, who)| who)
}

/// A request for a route, with something for each of its parameters.
pub(super) fn request(method: &str, path: &str) -> GatewayEvent {
    let words = path.split('/').map(|word| {
        if word.starts_with('{') {
            "something"
        } else {
            word
        }
    });
    GatewayEvent::new(method, &words.collect::<Vec<_>>().join("/"))
}

#[test]
fn every_route_of_the_document_is_written_down() {
    for (method, path) in operations() {
        assert!(
            access_of(&method, &path).is_some(),
            "{method} {path} is missing in access::ROUTES, and so closed to everybody"
        );
        assert!(
            !door(&method, &path).is_empty(),
            "{method} {path}: who is to get in there?"
        );
    }
}

#[tokio::test]
async fn everybody_gets_in_where_the_role_opens_and_nobody_anywhere_else() {
    let house = House::start().await;
    let mut tokens = BTreeMap::new();
    for (who, roles) in [
        ('n', &[][..]),
        ('r', &[Role::Reader]),
        ('u', &[Role::User]),
        ('o', &[Role::Operator]),
        ('a', &[Role::Admin]),
    ] {
        tokens.insert(who, house.log_in(&format!("somebody-{who}"), roles).await);
    }
    for (method, path) in operations() {
        let (place, admitted) = (format!("{method} {path}"), door(&method, &path));
        for (who, token) in &tokens {
            let answer = house.send(request(&method, &path).token(token)).await;
            if admitted == "*" || admitted.contains(*who) {
                assert_eq!(answer.status, 204, "{who} at {place}: {}", answer.text());
            } else {
                assert_eq!(answer.problem(403), "forbidden", "{who} at {place}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_good_token_nobody_gets_in_but_where_everybody_does() {
    let house = House::start().await;
    let admin = house.user("admin", &[Role::Admin]).await;
    let good = house.token(&house.session(&admin).await);
    let ended = house.session(&admin).await;
    house.directory.end_session(&ended.jti).await.unwrap();
    let mut expired = house.session(&admin).await.claims(ISSUER);
    expired.exp = house.now().as_second();
    let never = house.token(&haulout_domain::identity::Session::new(&admin, house.now()));
    for (method, path) in operations() {
        let place = format!("{method} {path}");
        let is_open = door(&method, &path) == "*";
        let answer = house.send(request(&method, &path)).await;
        if is_open {
            assert_eq!(answer.status, 204, "{place}");
        } else {
            assert_eq!(answer.problem(401), "missing_token", "{place}");
        }
        for (kind, token) in [
            ("bad", "x.y.z"),
            ("expired", &house.sign(&expired)),
            ("revoked", &house.token(&ended)),
            ("without a session", &never),
        ] {
            let answer = house.send(request(&method, &path).token(token)).await;
            // Who registers with a token wants to be known.
            if is_open && place != "POST /register" {
                assert_eq!(answer.status, 204, "{kind} at {place}");
            } else {
                assert_eq!(answer.problem(401), "invalid_token", "{kind} at {place}");
            }
        }
        let answer = house.send(request(&method, &path).token(&good)).await;
        assert_eq!(answer.status, 204, "{place}");
    }
}

#[tokio::test]
async fn a_token_holds_for_ten_hours() {
    let house = House::start().await;
    let token = house.log_in("ann", &[Role::User]).await;
    let jump = |time: SignedDuration| house.world.jump(time.unsigned_abs());
    jump(SignedDuration::from_hours(10) - SignedDuration::from_secs(2));
    assert_eq!(house.me(&token).await.status, 204);
    jump(SignedDuration::from_secs(2));
    assert_eq!(house.me(&token).await.problem(401), "invalid_token");
}
