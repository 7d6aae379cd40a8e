//! Whatever a caller sends, the answer is not a 5xx, and it is a whole problem when it is not a success.

use haulout_tests::gateway::{Answer, GatewayEvent};
use proptest::{collection::vec, prelude::*, string::string_regex};

use super::support::{TOKEN, app};

fn send(event: &GatewayEvent) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(event.send(&app()))
}

fn check(event: &GatewayEvent) -> Result<(), TestCaseError> {
    let answer = send(event);
    prop_assert!(answer.status < 500, "{}: {}", event.event(), answer.text());
    prop_assert_ne!(answer.status, 422);
    if answer.status >= 400 && event.event()["requestContext"]["http"]["method"] != "HEAD" {
        answer.problem(answer.status);
    }
    Ok(())
}

/// Text as callers send it: anything, or nearly what is wanted.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        string_regex("[ -~]{0,60}").unwrap(),
        string_regex("(wait|Bearer|limit|respond-async|[=,;\"0-9 ]){0,8}").unwrap(),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("/things".to_owned()),
        text().prop_map(|text| format!("/things/{text}")),
        text().prop_map(|text| format!("/echo/{text}")),
        text().prop_map(|text| format!("/{text}")),
        text(),
    ]
}

fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let key = prop_oneof![
            Just("name".to_owned()),
            Just("size".to_owned()),
            Just("tags".to_owned()),
            Just("parts".to_owned()),
            Just("weight".to_owned()),
            any::<String>(),
        ];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((key, inner), 0..5).prop_map(|members| {
                let members: Vec<_> = members
                    .into_iter()
                    .map(|(key, value)| format!("{}:{value}", serde_json::to_string(&key).unwrap()))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_as_body(body in vec(any::<u8>(), 0..300)) {
        check(&GatewayEvent::new("POST", "/things").token(TOKEN).bytes(&body))?;
    }

    #[test]
    fn any_json_as_body(body in json_text()) {
        check(&GatewayEvent::post("/things", body).token(TOKEN))?;
    }

    #[test]
    fn any_path_and_query(path in path(), query in text(), method in "GET|HEAD|POST|DELETE|OPTIONS|BREW") {
        check(&GatewayEvent::new(&method, &format!("{path}?{query}")).token(TOKEN))?;
    }

    #[test]
    fn any_header(
        name in "prefer|idempotency-key|content-type|accept|host|origin|x-forwarded-proto|access-control-request-method|content-length|transfer-encoding|expect",
        value in text(),
        method in "POST|OPTIONS|GET",
    ) {
        check(&GatewayEvent::post("/things", r#"{"name": "a"}"#).method(&method).token(TOKEN).header(&name, &value))?;
    }

    #[test]
    fn any_authorization_opens_nothing(value in text()) {
        let answer = send(&GatewayEvent::get("/things").header("authorization", &value));
        prop_assert!(matches!(answer.status, 400 | 401), "{value}: {}", answer.status);
    }
}
