//! Cursors.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use haulout_api::{
    Problem,
    page::{decode_cursor, encode_cursor},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn decode(cursor: &str, filter: &str) -> Result<(String, u32), Problem> {
    decode_cursor(cursor, &filter)
}

#[test]
fn a_cursor_comes_back_as_its_position() {
    let cursor = encode_cursor(&("m-1", 7), &"ready").unwrap();
    assert_eq!(decode(&cursor, "ready").unwrap(), ("m-1".to_owned(), 7));
    assert!(
        cursor
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    let cursor = encode_cursor(&("m-1", 7), &"ready").unwrap();
    assert_eq!(
        decode(&cursor, "failed").unwrap_err().code().as_str(),
        "invalid_cursor"
    );
    let other_kind = encode_cursor(&"m-1", &"ready").unwrap();
    assert_eq!(
        decode(&other_kind, "ready").unwrap_err().code().as_str(),
        "invalid_cursor"
    );
}

#[test]
fn an_edited_cursor_is_refused() {
    let cursor = encode_cursor(&("m-1", 7), &"ready").unwrap();
    let text = BASE64_URL_SAFE_NO_PAD.decode(&cursor).unwrap();
    let envelope: Value = serde_json::from_slice(&text).unwrap();
    for (member, value) in [
        ("p", json!(["m-2", 7])),
        ("v", json!(2)),
        ("c", json!("")),
        ("x", json!(1)),
    ] {
        let mut edited = envelope.clone();
        edited[member] = value;
        let edited = BASE64_URL_SAFE_NO_PAD.encode(edited.to_string());
        assert!(decode(&edited, "ready").is_err(), "{member}");
    }
}

proptest! {
    #[test]
    fn anything_else_is_refused(text in ".{0,200}") {
        prop_assert!(decode(&text, "ready").is_err());
    }

    #[test]
    fn json_of_strangers_is_refused(text in "[a-z0-9{}:,\"]{0,80}") {
        prop_assert!(decode(&BASE64_URL_SAFE_NO_PAD.encode(text), "ready").is_err());
    }
}

#[test]
fn a_huge_cursor_is_refused() {
    assert!(decode(&"A".repeat(1_000_000), "ready").is_err());
}
