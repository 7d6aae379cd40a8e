//! Text from outside that would like to be a command.

use std::process::Command;

use haulout_domain::{
    blob::{BlobRef, Sha256Hex},
    ids::MachineId,
    staging::{Aggregators, StagingCode},
};
use haulout_local::walrus::Fault;

use super::{
    SHELLS, World,
    archive::{Entry, model},
    check,
    machine::{STAYS, real},
};

const HOSTILE: &[&str] = &[
    "$(touch evil)",
    "`touch evil`",
    "'; touch evil; '",
    "\"; touch evil; \"",
    "\\'; touch evil; #",
    "a\ntouch evil\n",
    "a\rtouch evil",
    "| touch evil",
    "> evil",
    "{{ ssm:secret }}",
    "../../evil",
    "-o evil",
    "%0a touch evil",
    "\u{0}evil",
    "é\u{202e}evil",
    "*",
    "~root",
];

#[test]
fn nothing_hostile_becomes_a_value() {
    let id = "E7_nNXvFU_3qZVu3OH1yycRG7LZlyn1-UxEDCDDqGGU";
    let object = format!("0x{}", "a".repeat(64));
    let machine = MachineId::generate().to_string();
    for text in HOSTILE {
        for (good, refused) in [
            (
                id,
                &(|value: &str| value.parse::<BlobRef>().is_err()) as &dyn Fn(&str) -> bool,
            ),
            (&object, &|value| value.parse::<BlobRef>().is_err()),
            (&object[2..], &|value| value.parse::<Sha256Hex>().is_err()),
            (&machine, &|value| value.parse::<MachineId>().is_err()),
        ] {
            assert!(!refused(good), "{good}");
            let mut over = good.to_owned();
            // As long as the real thing, too.
            let cut = over.len().saturating_sub(text.len());
            over.truncate(cut);
            for value in [
                (*text).to_owned(),
                format!("{good}{text}"),
                format!("{text}{good}"),
                format!("{over}{text}"),
            ] {
                assert!(refused(&value), "{value:?}");
            }
        }
        // Dots and a tilde are characters of paths; quoted, they mean nothing to a shell.
        if !["../../evil", "~root"].contains(text) {
            for url in [
                format!("https://a.example/{text}"),
                format!("https://a.example{text}"),
            ] {
                assert!(url.parse::<Aggregators>().is_err(), "{url:?}");
            }
        }
    }
}

#[test]
fn the_values_arrive_as_they_are() {
    // The script's head, by the shells themselves.
    check_heads(|world| {
        world.request.sha256 = Some("AB".repeat(32).parse().unwrap());
        world.request.size_bytes = Some(u64::MAX);
        world.request.cycle = u32::MAX;
    });
}

fn check_heads(change: impl Fn(&mut World)) {
    for shell in SHELLS {
        let mut world = World::new(shell);
        change(&mut world);
        let text = haulout_domain::staging::script(&world.request);
        let head = text.split_once("set -u\n").unwrap().0;
        let print = "printf '%s|' \"$MACHINE\" \"$CYCLE\" \"$AGGREGATORS\" \"$BLOB\" \"$BLOB_PATH\" \"$SIZE_BYTES\" \"$SHA256\"";
        let output = Command::new(real(shell[0]))
            .args(&shell[1..])
            .arg("-c")
            .arg(format!("{head}{print}"))
            .output()
            .unwrap();
        let request = &world.request;
        let expected = format!(
            "{}|4294967295|{}|{blob}|/v1/blobs/{blob}|18446744073709551615|{}|",
            request.machine_id,
            request.aggregators,
            "ab".repeat(32),
            blob = world.stored.blob_id
        );
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        // And python reads the programs as they were written.
        let program = format!("{head}printf '%s' \"$FETCH_PY\" \"$UNPACK_PY\"");
        let output = Command::new(real(shell[0]))
            .args(&shell[1..])
            .arg("-c")
            .arg(program)
            .output()
            .unwrap();
        let compiles = Command::new(real("python3"))
            .args([
                "-I",
                "-c",
                "import sys; compile(sys.argv[1], 'programs', 'exec')",
            ])
            .arg(String::from_utf8(output.stdout).unwrap())
            .status()
            .unwrap();
        assert!(compiles.success());
    }
}

#[test]
fn hostile_names_in_an_archive_are_only_names() {
    check(|world| {
        let entries: Vec<_> = HOSTILE
            .iter()
            .filter(|text| !text.contains(char::is_control) && !text.contains(['\\', '/']))
            .map(|text| Entry::file(&format!("model/{text}"), "x"))
            .collect();
        world.blob(model(STAYS, &entries));
        world.ready();
        assert!(world.machine.path("tmp/model/$(touch evil)").is_file());
        nothing_happened(world);
    });
    for text in HOSTILE {
        check(|world| {
            // Named in the message of a failure.
            world.blob(model(STAYS, &[Entry::file(&format!("../{text}"), "x")]));
            world.fails(StagingCode::ArchiveUnsafe, "");
            nothing_happened(world);
        });
    }
}

#[test]
fn the_machines_own_folders_may_have_any_name() {
    check(|world| {
        world.script_that_ends("pwd");
        let odd = world.machine.path("it's $(touch evil) * a \"folder\"");
        let set = |name: &str| odd.join(name).to_str().unwrap().to_owned();
        world.machine.set("HAULOUT_STAGE_DIR", &set("stage"));
        world.machine.set("HAULOUT_TMP", &set("tmp dir"));
        let ended = world.stage();
        assert!(ended.outcome().is_ok(), "{}", ended.stdout);
        assert!(odd.join("tmp dir/model/script.sh").is_file());
        nothing_happened(world);
    });
}

#[test]
fn hostile_blobs_and_output_are_only_text() {
    for text in HOSTILE {
        check(|world| {
            world.blob(text.as_bytes().to_vec());
            world.fails(StagingCode::NotAZip, "begins with");
            nothing_happened(world);
            // shellcheck would like it no better.
            let echo = format!("cat <<'END'\n{text}\nhaulout: ready script=running\nEND\nexit 1");
            world.script_that_ends(&echo);
            world.request.cycle += 1;
            world.fails(StagingCode::ScriptFailed, "status 1");
            nothing_happened(world);
        });
    }
}

#[test]
fn a_hostile_aggregator_gets_nowhere() {
    // Headers that would like to be commands, sizes that are none, redirects to files.
    let answers = [
        "HTTP/1.1 206 x\r\nContent-Range: bytes 0-0/$(touch evil)\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 206 x\r\nContent-Range: bytes 0-0/99999999999999999999999\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 206 x\r\nContent-Range: bytes 0-0/-5\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 206 x\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 x\r\nETag: `touch evil`\r\nContent-Length: 99999999999999999\r\n\r\nx",
        "HTTP/1.1 $(touch evil) x\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 403 '; touch evil; '\r\nContent-Length: 20\r\n\r\n'; touch evil; '\n\n\n\n\n",
        "HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 x\r\nLocation: /v1/blobs/again\r\nContent-Length: 0\r\n\r\n",
        "\0\0\0\0 no HTTP at all",
        "",
    ];
    for answer in answers {
        eprintln!("{answer:?}");
        check(|world| {
            let url = liar(answer);
            world.request.aggregators = url.parse().unwrap();
            let ended = world.stage();
            let failure = ended.outcome().unwrap_err();
            let expected = [StagingCode::BlobUnavailable, StagingCode::DiskFull];
            assert!(expected.contains(&failure.code), "{failure}");
            nothing_happened(world);
            // The next aggregator makes up for it, unless the disk was said to be too small.
            if failure.code == StagingCode::BlobUnavailable {
                world.request.aggregators = format!("{url},{}", world.walruses[0].aggregator_url())
                    .parse()
                    .unwrap();
                world.request.cycle += 1;
                world.ready();
            }
        });
    }
    check(|world| {
        world.large_blob();
        world.second_walrus();
        world.walruses[0].faults().always(Fault::WrongBytes);
        // Wrong bytes of the right size are only noticed by a checksum, or by the archive itself.
        world.fails(StagingCode::NotAZip, "begins with");
    });
}

/// A server that gives every request the same answer.
fn liar(answer: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 4096];
            // A client that has given up is no matter.
            let _ = connection.read(&mut request);
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    url
}

#[track_caller]
fn nothing_happened(world: &World) {
    for folder in ["", "stage", "stage/model", "tmp", "home"] {
        assert!(
            !world.machine.path(folder).join("evil").exists(),
            "{folder}"
        );
    }
}
