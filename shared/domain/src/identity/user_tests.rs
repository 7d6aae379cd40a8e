//! What holds of users, their names and passwords.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::user::{GroupName, IdentityError, UserChange, Username, check_password, test_user};

#[test]
fn names_are_lower_case_and_of_few_characters() {
    let longest = "a".repeat(64);
    for (text, name) in [
        ("ann", "ann"),
        ("Ann.B@example-1.org", "ann.b@example-1.org"),
        ("0_o", "0_o"),
        (longest.as_str(), longest.as_str()),
    ] {
        assert_eq!(text.parse::<Username>().unwrap().as_str(), name);
    }
    let too_long = "a".repeat(65);
    for text in [
        "",
        " ann",
        "-ann",
        ".ann",
        "@ann",
        "#bootstrap",
        "a#b",
        "a b",
        "a/b",
        "änn",
        "ann\n",
        "\u{212a}elvin",
        &too_long,
    ] {
        let error = text.parse::<Username>().unwrap_err();
        assert!(error.to_string().contains("is not a username: give"));
        assert!(error.to_string().len() < 250);
    }
}

#[test]
fn groups_keep_their_case() {
    for text in ["Staff", ".hidden", "a-b_c.d"] {
        assert_eq!(text.parse::<GroupName>().unwrap().as_str(), text);
    }
    for text in ["", "a b", "a@b", "ä", &"g".repeat(65)] {
        assert!(text.parse::<GroupName>().is_err(), "{text}");
    }
}

#[test]
fn names_are_read_as_strictly_from_json() {
    assert!(serde_json::from_str::<Username>("\"a#b\"").is_err());
    let name: Username = serde_json::from_str("\"ANN\"").unwrap();
    assert_eq!(serde_json::to_string(&name).unwrap(), "\"ann\"");
}

#[test]
fn a_password_has_8_to_128_characters_of_any_kind() {
    for good in ["12345678", "ünïcödé!", &"p".repeat(128)] {
        assert_eq!(check_password(good), Ok(()));
    }
    for bad in ["", "1234567", "ünïcödé", &"p".repeat(129)] {
        assert_eq!(check_password(bad), Err(IdentityError::Password));
    }
}

#[test]
fn nothing_printed_of_a_user_tells_the_hash() {
    let user = test_user("ann");
    let change = UserChange {
        password_hash: Some(user.password_hash.clone()),
        ..UserChange::default()
    };
    for text in [format!("{user:?}"), format!("{change:?}")] {
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn a_change_is_written_once_and_leaves_what_it_does_not_name() {
    let user = test_user("ann");
    let later = user.created_at + SignedDuration::from_secs(1);
    let groups = BTreeSet::from(["staff".parse().unwrap()]);
    let change = UserChange {
        groups: Some(groups.clone()),
        quota: Some(Some(3)),
        ..UserChange::default()
    };
    let changed = user.changed(change.clone(), later).unwrap();
    assert_eq!(
        (&changed.roles, &changed.groups, changed.quota),
        (&user.roles, &groups, Some(3))
    );
    assert_eq!((changed.version, changed.updated_at), (2, later));
    assert_eq!(changed.id, user.id);
    assert_eq!(changed.changed(change, later), None);
    let without_quota = UserChange {
        quota: Some(None),
        ..UserChange::default()
    };
    assert_eq!(changed.changed(without_quota, later).unwrap().quota, None);
}
