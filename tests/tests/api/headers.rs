//! `Prefer` and `Idempotency-Key`.

use std::time::Duration;

use haulout_api::{IdempotencyKey, Prefer, Problem};
use http::{HeaderMap, HeaderName, HeaderValue};

fn headers(name: &'static str, values: &[&[u8]]) -> HeaderMap {
    values
        .iter()
        .map(|value| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value).unwrap(),
            )
        })
        .collect()
}

fn prefer(values: &[&[u8]]) -> Result<Option<u64>, Problem> {
    Prefer::from_headers(&headers("prefer", values))
        .map(|prefer| prefer.wait.as_ref().map(Duration::as_secs))
}

#[test]
fn wait_is_found_among_preferences() {
    for (value, wait) in [
        ("", None),
        ("respond-async", None),
        ("wait=10", Some(10)),
        ("Wait = 10", Some(10)),
        ("wait=\"10\"", Some(10)),
        ("wait=0", Some(0)),
        ("wait=25", Some(25)),
        ("respond-async, wait=5", Some(5)),
        ("wait=5; strict", Some(5)),
        ("wait=5, wait=9", Some(5)),
        ("note=\"a, wait=9\", wait=5", Some(5)),
        ("note=\"a \\\" wait=9\", wait=5", Some(5)),
        ("waiting=99", None),
        (",,,", None),
        ("=", None),
    ] {
        assert_eq!(prefer(&[value.as_bytes()]).unwrap(), wait, "{value}");
    }
    assert_eq!(prefer(&[]).unwrap(), None);
    assert_eq!(prefer(&[b"respond-async", b"wait=3"]).unwrap(), Some(3));
    assert_eq!(prefer(&[b"\xff\xfe", b"wait=3"]).unwrap(), Some(3));
}

#[test]
fn a_wait_that_cannot_be_kept_is_refused() {
    for value in [
        "wait",
        "wait=",
        "wait=26",
        "wait=-1",
        "wait=1.5",
        "wait=ten",
        "wait=+5",
        "wait=\"5",
        "wait=99999999999999999999",
    ] {
        let problem = prefer(&[value.as_bytes()]).unwrap_err();
        assert_eq!(problem.code().as_str(), "invalid_header", "{value}");
        assert!(
            problem.detail().contains("Prefer") && problem.detail().contains("25"),
            "{value}"
        );
    }
}

#[test]
fn an_idempotency_key_is_visible_ascii_once() {
    let key = |values: &[&[u8]]| IdempotencyKey::from_headers(&headers("idempotency-key", values));
    assert_eq!(key(&[]).unwrap().0, None);
    assert_eq!(key(&[b"a"]).unwrap().0.as_deref(), Some("a"));
    let longest = "k".repeat(255);
    assert_eq!(key(&[longest.as_bytes()]).unwrap().0, Some(longest.clone()));
    let too_long = format!("{longest}k");
    for values in [
        &[b"".as_slice()] as &[&[u8]],
        &[b"a b"],
        &[b"a\tb"],
        &["é".as_bytes()],
        &[b"\xff"],
        &[b"a", b"a"],
        &[too_long.as_bytes()],
    ] {
        let problem = key(values).unwrap_err();
        assert_eq!(problem.code().as_str(), "invalid_header");
        assert!(problem.detail().contains("Idempotency-Key"));
    }
}
