//! Rules that would loop, explode or overflow. Each is read and, when it is accepted, evaluated with the largest facts,
//! on half the stack there is for it; should one overflow that, the test's process ends.

use std::{
    thread,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{
    super::{Rule, STACK},
    bounds::many,
    *,
};
use crate::package::upload::MAX_RULE;

/// Far more than any rule takes, as tests share machines; far less than one that explodes.
const SOON: Duration = Duration::from_secs(10);

/// Reads and evaluates rules as a function would.
fn ends(rules: Vec<String>) {
    let facts = Package {
        allowed_groups: many(100),
        ..package("model")
    };
    let groups = many(200);
    let run = move || {
        for text in rules {
            let begun = Instant::now();
            let rule = Rule::read(&text);
            if let Ok(rule) = &rule {
                asked(&groups, |user, request| {
                    rule.evaluate(&facts, user, request)
                });
            }
            let took = begun.elapsed();
            let shown: String = text.chars().take(60).collect();
            assert!(took < SOON, "{shown}: {took:?}, {:?}", rule.map(drop));
        }
    };
    let thread = thread::Builder::new().stack_size(STACK / 2).spawn(run);
    thread.unwrap().join().unwrap();
}

#[test]
fn loops_within_loops_end() {
    let numbers = (0..250).map(|it| it.to_string()).collect::<Vec<_>>();
    let numbers = numbers.join(",");
    let mut rules = vec![
        format!("[{numbers}].all(a, [{numbers}].all(b, a + b >= 0))"),
        format!("[{numbers}].all(a, user.groups.all(b, b != user.name))"),
        format!("[{numbers}].map(a, [{numbers}].map(b, [{numbers}])).size() > 0"),
        // As much as is allowed.
        "user.groups.all(g, pkg.allowed_groups.all(a, size(a + g) > 0))".to_owned(),
    ];
    assert_eq!(check(rules.last().unwrap()), Ok(()));
    for name in ["exists", "all", "exists_one", "map", "filter"] {
        for depth in 1..8 {
            let open = |at| format!("user.groups.{name}(v{at}, ");
            let open: String = (0..depth).map(open).collect();
            let close = ")".repeat(depth);
            rules.push(format!("{open}user.groups == pkg.allowed_groups{close}"));
        }
    }
    ends(rules);
}

#[test]
fn texts_and_lists_that_grow_end() {
    let repeated = |text: &str, by: &str| {
        let count = MAX_RULE / (text.len() + by.len());
        vec![text; count.min(140)].join(by)
    };
    ends(vec![
        format!("{} == ''", repeated("pkg.description", "+")),
        format!("({}).exists(g, g == '')", repeated("user.groups", "+")),
        format!("user.groups.all(g, ({}).size() > 0)", repeated("g", "+")),
        format!(
            "user.groups.all(g, ({}).size() > 0)",
            repeated("user.groups", "+")
        ),
        format!("[{0}] == [{0}]", repeated("user.groups", ",")),
        format!(
            "user.groups.all(g, [{}] == [])",
            repeated("user.groups", ",")
        ),
        format!("[{}].all(g, g in g)", repeated("user.groups", ",")),
        format!("user.groups.map(g, {}).size() > 0", repeated("g", "+")),
        format!("'{}'.contains('{}b')", "a".repeat(2000), "a".repeat(1900)),
        format!(
            "user.groups.all(g, pkg.description.contains('{}'))",
            "a".repeat(2000)
        ),
    ]);
}

#[test]
fn regular_expressions_that_explode_are_not_there() {
    for pattern in [
        "(a+)+$",
        "(a|a)*$",
        "(.*a){25}",
        "(\\\\w{1000}){1000}",
        "((((((a*)*)*)*)*)*)*",
    ] {
        let rule = format!("'{}!'.matches('{pattern}')", "a".repeat(100));
        assert!(refused(&rule).contains("'matches'"), "{rule}");
    }
}

/// Repeats a piece as often as a rule has room for, and in fewer, as the bounds have it.
fn deep(open: &str, inner: &str, close: &str) -> Vec<String> {
    let most = (MAX_RULE - inner.len()) / (open.len() + close.len());
    let counts = [
        8, 10, 11, 12, 13, 16, 17, 40, 63, 64, 65, 74, 75, 76, 149, 150, 151, most,
    ];
    let counts = counts.into_iter().filter(|count| *count <= most);
    counts
        .map(|count| format!("{}{inner}{}", open.repeat(count), close.repeat(count)))
        .collect()
}

#[test]
fn what_nests_deep_ends() {
    for (open, inner, close) in [
        ("(", "true", ")"),
        ("(", "", ""),
        ("[", "1", "]"),
        ("[", "", ""),
        ("{1:", "2", "}"),
        ("{", "", ""),
        ("size(", "'a'", ")"),
        ("!(", "true", ")"),
        ("(true ? ", "true", " : false)"),
        ("true ? ", "true", " : false"),
        ("true ? true : ", "true", ""),
        ("[1].all(a, ", "true", ")"),
        ("[1].map(a, ", "true", ")"),
        ("has(", "user.a", ")"),
        ("A{a: ", "1", "}"),
        ("a[", "1", "]"),
        ("a ? b ((?)) ", "", ""),
        ("(1 in ", "[1]", ")"),
        ("[1 + ", "1", "]"),
    ] {
        ends(deep(open, inner, close));
    }
}

#[test]
fn what_is_long_and_deep_ends() {
    for (open, sign, close) in [
        ("(", " in ", ")"),
        ("[", "+", "]"),
        ("size(", " * ", ")"),
        ("{1:", ".a", "}"),
        ("true ? true : ", " == ", ""),
    ] {
        let rules = (9..14).flat_map(|depth| {
            let chain = |count| vec!["1"; count].join(sign);
            let nested = move |inner: String| {
                format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
            };
            [75, 100, 140, 149, 150].map(|count| nested(chain(count)))
        });
        ends(rules.collect());
    }
}

#[test]
fn what_is_long_and_flat_ends() {
    for (open, inner, close) in [
        ("!", "true", ""),
        ("-", "1", ""),
        ("- ", "1", ""),
        ("1 + ", "1", ""),
        ("1+", "1", ""),
        ("1 in ", "[1]", ""),
        ("1 == ", "1", ""),
        ("true && ", "true", ""),
        ("true || ", "true", ""),
        ("", "user", ".a"),
        ("", "user", "[0]"),
        ("", "user", "()"),
        ("", "user", ".a()"),
        ("", "user", ".size()"),
        (".", "a", ""),
        ("1in", "1", ""),
    ] {
        ends(deep(open, inner, close));
    }
}

#[test]
fn what_is_no_rule_at_all_ends() {
    for piece in [
        "'", "\"\"\"", "r'", "`", "\\", "//", "é", "\0", "?", ")", "0x", "1e9", "b'\\", "\u{feff}",
        "@result ", ",", ";",
    ] {
        ends(deep(piece, "", ""));
    }
}

/// What the parser's grammar is made of, in no order.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = "user user.groups pkg.description request.hour g true 1 -1 1.5 2u 'a' b'a' null \" ' \\ ( ) [ ] { } \
                  , : ? . ! - + * / % < == && || in // .exists(g, .all(g, .map(g, .size() size( has( @result ` é \0 \
                  9223372036854775808 0x 1e999";
    let pieces: Vec<&str> = pieces.split(' ').chain([" ", "\n", " in "]).collect();
    let piece = prop::sample::select(pieces);
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Rules that can be read, of whatever nests.
fn rules() -> impl Strategy<Value = String> {
    let leaves =
        "user.groups pkg.allowed_groups user.name pkg.size_bytes request.hour true 3 'team' g []";
    let leaf = prop::sample::select(leaves.split(' ').collect::<Vec<_>>());
    let signs = prop::sample::select(vec!["+", "-", "*", "/", "==", "<", "&&", "||", "in"]);
    let loops = prop::sample::select(vec!["exists", "all", "exists_one", "map"]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(6, 40, 4, move |inner| {
            let two = (inner.clone(), inner.clone());
            let many = proptest::collection::vec(inner.clone(), 0..4);
            prop_oneof![
                (two.clone(), signs.clone()).prop_map(|((a, b), sign)| format!("({a} {sign} {b})")),
                (two.clone(), loops.clone())
                    .prop_map(|((list, body), name)| format!("{list}.{name}(g, {body})")),
                many.prop_map(|all| format!("[{}]", all.join(", "))),
                (two.clone(), inner.clone()).prop_map(|((a, b), c)| format!("({a} ? {b} : {c})")),
                two.prop_map(|(list, at)| format!("{list}[{at}]")),
                inner.prop_map(|it| format!("size({it})")),
            ]
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn any_text_ends(text in "\\PC{0,200}") {
        ends(vec![text]);
    }

    #[test]
    fn any_pieces_end(text in pieces()) {
        ends(vec![text]);
    }

    #[test]
    fn any_rule_ends(text in rules()) {
        ends(vec![text]);
    }
}
