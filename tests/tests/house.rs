//! The rules of the house: who may depend on whom, and how files begin and how long they get.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use toml::Table;

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}

fn manifest(folder: &str) -> Table {
    let path = root().join(folder).join("Cargo.toml");
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn members() -> Vec<String> {
    manifest(".")["workspace"]["members"]
        .as_array()
        .expect("a list of members")
        .iter()
        .map(|member| member.as_str().expect("a path").to_owned())
        .collect()
}

/// The names of what a manifest depends on, development dependencies included.
fn dependencies(manifest: &Table) -> BTreeSet<String> {
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table())
        .flat_map(Table::keys)
        .cloned()
        .collect()
}

#[test]
fn dependencies_point_inwards() {
    for member in members() {
        let ours: BTreeSet<_> = dependencies(&manifest(&member))
            .into_iter()
            .filter(|name| name.starts_with("haulout-"))
            .collect();
        let allowed: &[&str] = match member.as_str() {
            "shared/domain" | "local" => &[],
            "shared/aws" => &["haulout-domain"],
            "shared/api" => &["haulout-domain", "haulout-aws"],
            "tests" | "tests/bench" => continue,
            function if function.starts_with("functions/") => {
                &["haulout-domain", "haulout-aws", "haulout-api"]
            }
            other => panic!("no rule for {other}: add one here"),
        };
        for name in ours {
            assert!(
                allowed.contains(&name.as_str()),
                "{member} must not depend on {name}"
            );
        }
    }
}

#[test]
fn only_aws_local_and_tests_name_the_sdk() {
    for member in members() {
        if matches!(member.as_str(), "shared/aws" | "local" | "tests") {
            continue;
        }
        let named: Vec<_> = dependencies(&manifest(&member))
            .into_iter()
            .filter(|name| name.starts_with("aws-sdk-"))
            .collect();
        assert!(named.is_empty(), "{member} names {named:?}");
    }
}

#[test]
fn domain_does_no_io() {
    let forbidden = [
        "std::fs",
        "TcpStream",
        "UdpSocket",
        "std::env",
        "std::process",
        "async fn",
        "Timestamp::now",
    ];
    for path in rust_files(&root().join("shared/domain/src")) {
        let text = fs::read_to_string(&path).expect("a readable file");
        for word in forbidden {
            assert!(!text.contains(word), "{} says {word}", path.display());
        }
    }
}

#[test]
fn every_member_takes_part_in_the_workspace_rules() {
    for member in members() {
        let manifest = manifest(&member);
        assert_eq!(
            manifest
                .get("lints")
                .and_then(|lints| lints.get("workspace")?.as_bool()),
            Some(true),
            "{member} takes the workspace's lints"
        );
    }
}

#[test]
fn every_file_says_what_it_is_for_and_stays_readable() {
    for folder in ["shared", "functions", "local", "tests"] {
        for path in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&path).expect("a readable file");
            assert!(
                text.starts_with("//!"),
                "{} does not say what it is for",
                path.display()
            );
            let lines = text.lines().count();
            assert!(
                lines <= 450,
                "{} has {lines} lines: split it by subject",
                path.display()
            );
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
