//! Staging: the command that brings a blob or a package onto a machine and starts it there, and what its output means.
//!
//! The command is one POSIX shell script for SSM's AWS-RunShellScript. Its parts are in `shell/`; this module puts
//! the request's values before them. Values reach the shell only as validated types, and only quoted.

mod aggregators;
mod failure;
pub mod limit;
mod outcome;
mod source;
mod spec;

use std::fmt::Write as _;

pub use self::{
    aggregators::{AggregatorUrl, Aggregators, AggregatorsError},
    failure::{StagingCode, StagingFailure},
    outcome::{ScriptState, StagingReport, outcome},
    source::{ApiUrl, ApiUrlError, Grant, Source, Ticket, TicketError, TicketRefusal},
    spec::{Archive, StagingSpec},
};
use crate::{
    blob::{BlobRef, Sha256Hex},
    ids::MachineId,
};

/// What to stage on a machine.
#[derive(Debug, Clone)]
pub struct StagingRequest {
    /// The machine; with the cycle it names the work, so that a second copy of the command repeats nothing.
    pub machine_id: MachineId,
    /// How often the machine was brought up, this time included. A new cycle starts the model's script anew, from the
    /// folder that is on the machine if it was unpacked from the same blob.
    pub cycle: u32,
    /// Where blobs are read, in the order of fail-over.
    pub aggregators: Aggregators,
    /// What to stage: a zip archive with a folder `model/` and in it `script.sh`.
    pub source: Source,
    /// The SHA-256 its bytes must have.
    pub sha256: Option<Sha256Hex>,
    /// The size it must have, in bytes.
    pub size_bytes: Option<u64>,
    /// The command's time limit in seconds (SSM's `executionTimeout`). The script ends by itself a little earlier.
    pub budget_seconds: u64,
}

const PARTS: &[&str] = &[
    include_str!("shell/base.sh"),
    include_str!("shell/packages.sh"),
    include_str!("shell/fetch.sh"),
    include_str!("shell/redeem.sh"),
    include_str!("shell/download.sh"),
    include_str!("shell/unpack.sh"),
    include_str!("shell/start.sh"),
    include_str!("shell/main.sh"),
];
const FETCH_PY: &str = include_str!("shell/fetch.py");
const UNPACK_PY: &str = include_str!("shell/unpack.py");

/// The staging command, for SSM's `commands` parameter (as one element; it has several lines).
///
/// It behaves the same under `bash` and `dash`. Its output ends with one line `haulout: ready …` or
/// `haulout: failed <code>: <message>`, which [`outcome`] reads.
pub fn script(request: &StagingRequest) -> String {
    let at = Place::of(request);
    let values: [(&str, &str); 14] = [
        ("MACHINE", request.machine_id.as_str()),
        ("CYCLE", &request.cycle.to_string()),
        ("BUDGET", &own_limit(request.budget_seconds).to_string()),
        ("LIMIT", &request.budget_seconds.to_string()),
        ("AGGREGATORS", &at.servers),
        ("BLOB", &at.name),
        ("BLOB_PATH", &at.path),
        ("PIN", &at.pin),
        ("REDEEM_URL", &at.redeem),
        ("TICKET", &at.ticket),
        (
            "SIZE_BYTES",
            &request
                .size_bytes
                .map(|n| n.to_string())
                .unwrap_or_default(),
        ),
        (
            "SHA256",
            request.sha256.as_ref().map_or("", Sha256Hex::as_str),
        ),
        ("FETCH_PY", &compact(FETCH_PY)),
        ("UNPACK_PY", &compact(UNPACK_PY)),
    ];
    let mut text = String::from("#!/bin/sh\n");
    for (name, value) in values {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}={}", quote(value));
    }
    for part in PARTS {
        text.push_str(&compact(part));
    }
    text
}

/// What the script is told of where its archive is. A package's address is asked for with a ticket, on the machine.
#[derive(Default)]
struct Place {
    servers: String,
    name: String,
    path: String,
    pin: String,
    redeem: String,
    ticket: String,
}

impl Place {
    fn of(request: &StagingRequest) -> Self {
        match &request.source {
            Source::Blob(blob) => Self {
                servers: request.aggregators.to_string(),
                name: blob.to_string(),
                path: blob.aggregator_path(),
                pin: match blob {
                    BlobRef::BlobId(id) => id.as_str().to_owned(),
                    BlobRef::ObjectId(_) => String::new(),
                },
                ..Self::default()
            },
            Source::Package {
                package,
                registry,
                ticket,
            } => Self {
                name: package.to_string(),
                redeem: registry.redeem(),
                ticket: ticket.expose().to_owned(),
                ..Self::default()
            },
        }
    }
}

/// Seconds after which the script ends by itself, so that it can still say why.
fn own_limit(limit_seconds: u64) -> u64 {
    // Shell arithmetic is signed; a day is beyond every limit SSM takes for this (48 h) that makes sense here.
    let limit = limit_seconds.min(172_800);
    limit.saturating_sub((limit / 20).clamp(1, 8))
}

/// One shell word that stands for exactly this text (POSIX, 2.2.2: nothing is special between single quotes).
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The program without the lines that only explain it and with narrow indentation: SSM bounds the command's size.
fn compact(program: &str) -> String {
    let mut text = String::with_capacity(program.len());
    for line in program.lines() {
        let bare = line.trim_start_matches(' ');
        if !bare.is_empty() && !bare.starts_with('#') {
            let depth = (line.len() - bare.len()).div_ceil(4);
            text.extend(std::iter::repeat_n(' ', depth));
            text.push_str(bare);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request() -> StagingRequest {
        StagingRequest {
            machine_id: MachineId::generate(),
            cycle: 1,
            aggregators: "https://aggregator.walrus-testnet.walrus.space"
                .parse()
                .unwrap(),
            source: Source::Blob(
                "E7_nNXvFU_3qZVu3OH1yycRG7LZlyn1-UxEDCDDqGGU"
                    .parse()
                    .unwrap(),
            ),
            sha256: None,
            size_bytes: None,
            budget_seconds: 150,
        }
    }

    fn of_package() -> StagingRequest {
        StagingRequest {
            source: Source::Package {
                package: "audience-classifier@v1.0".parse().unwrap(),
                registry: "https://api.test".parse().unwrap(),
                ticket: Ticket::of([10; 32]),
            },
            ..request()
        }
    }

    #[test]
    fn the_command_fits_what_ssm_takes() {
        // An SSM document with its parameters' values: 64 KB (Systems Manager quotas).
        for request in [request(), of_package()] {
            let text = script(&request);
            assert!(text.len() < 32_000, "{} bytes", text.len());
            assert!(serde_json::to_string(&text).unwrap().len() < 40_000);
        }
    }

    #[test]
    fn ssm_finds_no_parameter_to_put_in() {
        // SSM replaces {{ name }} in commands.
        assert!(!script(&request()).contains("{{"));
    }

    #[test]
    fn the_values_stand_quoted_before_the_program() {
        let mut request = request();
        request.sha256 = Some("AB".repeat(32).parse().unwrap());
        request.size_bytes = Some(12);
        let text = script(&request);
        assert!(text.starts_with("#!/bin/sh\n"));
        for line in [
            &format!("MACHINE='{}'\n", request.machine_id),
            "CYCLE='1'\n",
            "BUDGET='143'\n",
            "LIMIT='150'\n",
            "BLOB_PATH='/v1/blobs/E7_nNXvFU_3qZVu3OH1yycRG7LZlyn1-UxEDCDDqGGU'\n",
            "SIZE_BYTES='12'\n",
            &format!("SHA256='{}'\n", "ab".repeat(32)),
        ] {
            assert!(text.contains(line), "{line}");
        }
    }

    #[test]
    fn a_package_comes_with_a_ticket_and_without_an_address() {
        let text = script(&of_package());
        for line in [
            "AGGREGATORS=''\n",
            "BLOB='audience-classifier@v1.0'\n",
            "BLOB_PATH=''\n",
            "PIN=''\n",
            "REDEEM_URL='https://api.test/tickets/redeem'\n",
            &format!("TICKET='{}'\n", "0a".repeat(32)),
        ] {
            assert!(text.contains(line), "{line}");
        }
    }

    #[test]
    fn the_script_ends_before_its_limit() {
        for limit in [2, 5, 30, 150, 3600] {
            assert!((1..limit).contains(&own_limit(limit)), "{limit}");
        }
        assert!(own_limit(u64::MAX) < 172_800);
    }

    proptest! {
        #[test]
        fn quoted_text_is_one_word(text in "\\PC*|['\"\\\\$`\\n ;&|]{0,20}") {
            // Read back as POSIX does: quotes open and close, \' stands between them.
            let quoted = quote(&text);
            let mut inside = false;
            let mut read = String::new();
            let mut chars = quoted.chars();
            while let Some(c) = chars.next() {
                match c {
                    '\'' => inside = !inside,
                    '\\' if !inside => read.push(chars.next().unwrap()),
                    c => {
                        prop_assert!(inside, "{quoted}");
                        read.push(c);
                    }
                }
            }
            prop_assert!(!inside);
            prop_assert_eq!(read, text);
        }
    }
}
