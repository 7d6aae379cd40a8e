//! What somebody may try who means harm, on the deployed stack: each attempt is refused with an error that says why, and
//! in the end everything is as it was. How many there were is printed.

mod archives;
mod names;
mod rules;
mod things;
mod tokens;

use std::io::Write as _;

use haulout_tests::client::{Answer, Api};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::fixture::{Fixture, text};

/// Who attacks, who has something to lose, and what was tried so far.
struct Scene<'a> {
    fixture: &'a Fixture,
    /// A user like any other.
    mallory: Api,
    victim: Api,
    tried: u32,
}

pub(super) async fn each_is_refused_and_changes_nothing(fixture: &Fixture) {
    let mut scene = Scene {
        fixture,
        mallory: joined(fixture, "mallory").await,
        victim: joined(fixture, "victim").await,
        tried: 0,
    };
    let things = things::Things::of(&scene).await;
    let before = things.as_they_are(&scene).await;
    things::somebody_elses(&mut scene, &things).await;
    tokens::that_are_none(&mut scene).await;
    names::that_mean_something_else(&mut scene, &things).await;
    archives::that_do_harm(&mut scene).await;
    archives::parts_that_do_not_fit(&mut scene).await;
    rules::that_never_end(&mut scene).await;
    let after = things.as_they_are(&scene).await;
    assert_eq!(after, before, "an attack had an effect");
    things.give_back(&scene).await;
    // Past the test runner, which keeps what a passing test prints.
    let line = format!(
        "attacks on the deployed stack: {} tried, each refused, none with an effect\n",
        scene.tried
    );
    let _shown = std::io::stderr().write_all(line.as_bytes());
}

impl Scene<'_> {
    /// Counts an attempt that was refused in this way.
    fn refused(&mut self, what: &str, answer: &Answer, status: u16, code: &str) {
        let Answer { text, json, .. } = answer;
        assert_eq!(answer.status.as_u16(), status, "{what}: {text}");
        assert_eq!(json["code"], code, "{what}: {text}");
        assert!(
            json["detail"].as_str().is_some_and(|it| it.len() > 10),
            "{what}: {text}"
        );
        self.tried += 1;
    }

    /// As the attacker.
    async fn try_post(&mut self, what: &str, path: &str, body: &Value, status: u16, code: &str) {
        let answer = self.mallory.post(path, body).await;
        self.refused(&format!("{what}: {path} {body}"), &answer, status, code);
    }

    /// As the attacker, without a body.
    async fn try_call(&mut self, method: Method, path: &str, status: u16, code: &str) {
        let answer = self.mallory.send(method.clone(), path, &[], "").await;
        self.refused(&format!("{method} {path}"), &answer, status, code);
    }
}

/// A user who registers and says to be more; what it says does not count.
async fn joined(fixture: &Fixture, name: &str) -> Api {
    let stranger = fixture.stranger();
    let body = json!({
        "username": name,
        "password": "correct horse",
        "roles": ["admin", "operator"],
        "groups": ["research"],
        "quota": 1000,
    });
    let registered = stranger.post("/register", &body).await;
    assert_eq!(
        registered.status,
        StatusCode::CREATED,
        "{}",
        registered.text
    );
    let api = logged_in(fixture, name).await;
    let me = api.get("/me").await.json;
    assert_eq!(
        (&me["roles"], &me["groups"], &me["quota"]),
        (&json!(["user"]), &json!([]), &Value::Null),
        "{me}"
    );
    api
}

async fn logged_in(fixture: &Fixture, name: &str) -> Api {
    let body = json!({"username": name, "password": "correct horse"});
    let answer = fixture.stranger().post("/login", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let token = text(&answer.json, "token").to_owned();
    Api::new(fixture.stack.addresses.api_url.clone(), Some(token))
}
