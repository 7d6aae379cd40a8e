//! What somebody may try who wants to be more than a user, or somebody else.

use haulout_tests::{dynamo::USERS, gateway::GatewayEvent};
use serde_json::{Value, json};

use super::support::{PASSWORD, Users, change_password, patch, register};

fn post(body: &str) -> GatewayEvent {
    GatewayEvent::post("/register", body)
}

#[tokio::test]
async fn json_that_says_two_things_or_other_things_makes_nobody() {
    let (users, _) = Users::with_admin().await;
    let before = users.items(USERS);
    for body in [
        r#"{"username": "eve", "password": "correct horse", "roles": ["user"], "roles": ["admin"]}"#,
        r#"{"username": "eve", "password": "correct horse", "username": "root"}"#,
        r#"{"username": "eve", "password": "correct horse", "passwor\u0064": "another horse"}"#,
        r#"{"username": "eve", "password": "correct horse", "Roles": ["admin"]}"#,
        r#"{"username": "eve", "password": "correct horse", "roles ": ["admin"]}"#,
        r#"{"username": "eve", "password": "correct horse", "role": "admin"}"#,
        r#"{"username": "eve", "password": "correct horse", "is_admin": true}"#,
        r#"{"username": "eve", "password": "correct horse", "id": "01990c3e-6f5b-7a10-9b1e-3d2f4a5b6c7d"}"#,
        r#"{"username": "eve", "password": "correct horse", "password_hash": "$argon2id$"}"#,
        r#"{"username": "eve", "password": "correct horse", "__proto__": {"roles": ["admin"]}}"#,
        r#"{"username": {"S": "eve"}, "password": "correct horse"}"#,
        r#"{"username": ["root"], "password": "correct horse"}"#,
        r#"["eve", "correct horse", ["admin"]]"#,
        r#"{"username": "eve", "password": "correct horse"} {"roles": ["admin"]}"#,
        r#"{"username": "eve", "password": "correct horse", "roles": ["admin"],}"#,
        r#"{"username": "eve", "password": "correct horse" /* "roles" */}"#,
    ] {
        let answer = users.send(&post(body)).await;
        let code = answer.problem(400);
        assert!(
            matches!(&*code, "invalid_body" | "invalid_json"),
            "{body}: {code}"
        );
        assert!(!answer.detail().is_empty());
    }
    assert_eq!(users.items(USERS), before);
}

#[tokio::test]
async fn roles_in_any_disguise_are_a_strangers_word() {
    let users = Users::start().await;
    for (name, text) in [
        (
            "a",
            r#""roles": ["admin"], "groups": ["staff"], "quota": 99"#,
        ),
        ("b", r#""rol\u0065s": ["adm\u0069n"]"#),
        ("c", r#""roles": "admin""#),
        ("d", r#""roles": {"admin": true}, "quota": 1e9"#),
        (
            "e",
            r#""roles": [["admin"]], "groups": [null], "quota": "99""#,
        ),
        ("f", r#""roles": [{"S": "admin"}]"#),
    ] {
        let body = format!(r#"{{"username": "{name}", "password": "{PASSWORD}", {text}}}"#);
        for event in [post(&body), post(&body).method("POST")] {
            let _either = users.send(&event).await;
        }
        let stored = users.stored(name);
        assert_eq!(stored["roles"], json!({"L": [{"S": "user"}]}), "{text}");
        assert_eq!(stored["groups"], json!({"L": []}), "{text}");
        assert!(stored["quota"].is_null(), "{text}");
        let me = users.get("/me", &users.token(name, PASSWORD).await).await;
        assert_eq!(me.json()["roles"], json!(["user"]), "{text}");
    }
    // Neither do a query, headers or cookies say what somebody may do.
    let body = json!({"username": "g", "password": PASSWORD}).to_string();
    let event = GatewayEvent::post("/register?roles=admin&roles[]=admin", body)
        .header("x-roles", "admin")
        .header("x-amzn-oidc-identity", "root")
        .header("cookie", "roles=admin");
    users.send(&event).await;
    let stored = users.stored("g");
    assert!(stored.is_null() || stored["roles"] == json!({"L": [{"S": "user"}]}));
}

#[tokio::test]
async fn a_name_that_looks_like_anothers_is_that_one_or_none() {
    let (users, _) = Users::with_admin().await;
    let before = users.items(USERS);
    for same in ["root", "ROOT", "rOOt", r"\u0072oot", r"\u0052OOT"] {
        let body = format!(r#"{{"username": "{same}", "password": "another horse"}}"#);
        let answer = users.send(&post(&body)).await;
        assert_eq!(answer.problem(409), "username_taken", "{same}");
    }
    for none in [
        // Other alphabets, widths and compositions; what some fold to ASCII.
        "r\u{43e}\u{43e}t",
        "\u{ff52}\u{ff4f}\u{ff4f}\u{ff54}",
        "roo\u{301}t",
        "r\u{f6}\u{f6}t",
        "ro\u{200b}ot",
        "\u{feff}root",
        "\u{202e}toor",
        "\u{212a}arl",
        "\u{17f}am",
        "\u{130}da",
        // White space and ends.
        " root",
        "root ",
        "root\t",
        "root\n",
        "root\r",
        "root\u{a0}",
        "root\u{0}",
        "",
        " ",
        // What means something elsewhere.
        "root#x",
        "../root",
        "root/me",
        "root%00",
        "root'--",
        "root\" OR 1=1",
        "{root}",
        "$root",
        "root,admin",
        "root;x",
        "#bootstrap",
    ] {
        let body = json!({"username": none, "password": PASSWORD}).to_string();
        let answer = users.send(&post(&body)).await;
        assert_eq!(answer.problem(400), "invalid_body", "{none:?}");
        assert!(answer.detail().contains("username"), "{}", answer.detail());
        let login = GatewayEvent::post("/login", body);
        assert_eq!(users.send(&login).await.problem(400), "invalid_body");
    }
    assert_eq!(users.items(USERS), before);
    users.token("root", PASSWORD).await;
}

#[tokio::test]
async fn a_token_that_is_not_an_administrators_any_more_makes_no_administrator() {
    let (users, admin) = Users::with_admin().await;
    let body = json!({"username": "boss", "password": PASSWORD, "roles": ["admin"]});
    let boss = post(&body.to_string()).token(&admin);
    assert_eq!(users.send(&boss).await.status, 201);
    let wanted = |name: &str| {
        let body = json!({"username": name, "password": PASSWORD, "roles": ["admin"]});
        post(&body.to_string())
    };
    let demoted = users.token("boss", PASSWORD).await;
    let ended = users.token("root", PASSWORD).await;
    let change = json!({"roles": ["user"]});
    assert_eq!(users.patch("boss", &change, &admin).await.status, 200);
    let logout = GatewayEvent::new("POST", "/logout").token(&ended);
    assert_eq!(users.send(&logout).await.status, 200);
    users.let_sessions_be_forgotten();
    let answer = users.send(&wanted("eve").token(&demoted)).await;
    assert_eq!(answer.json()["roles"], json!(["user"]));
    // A token that is not accepted makes nobody at all.
    let unsigned = admin.rsplit_once('.').unwrap().0.to_owned() + ".";
    for token in [&ended, &unsigned, "x.y.z"] {
        let answer = users.send(&wanted("mallory").token(token)).await;
        assert_eq!(answer.problem(401), "invalid_token");
        assert!(users.stored("mallory").is_null());
    }
}

#[tokio::test]
async fn a_user_changes_nobody_and_of_oneself_the_password_alone() {
    let (users, _) = Users::with_admin().await;
    users.registered("ann").await;
    let ann = users.token("ann", PASSWORD).await;
    let before = users.items(USERS);
    let more = json!({"roles": ["admin"], "groups": ["staff"], "quota": null});
    for name in ["ann", "ANN", "root"] {
        let answer = users.send(&patch(name, &more, &ann)).await;
        assert_eq!(answer.problem(403), "forbidden", "{name}");
    }
    for field in ["roles", "groups", "quota", "username", "id", "version"] {
        let mut body: Value = json!({"password": PASSWORD, "new_password": "another horse"});
        body[field] = json!(["admin"]);
        let event = change_password("", "", &ann).text(body.to_string());
        let answer = users.send(&event).await;
        assert_eq!(answer.problem(400), "invalid_body", "{field}");
        assert!(answer.detail().contains(field), "{}", answer.detail());
    }
    assert_eq!(users.items(USERS), before);
    assert_eq!(users.send(&register("ann", PASSWORD)).await.status, 409);
}
