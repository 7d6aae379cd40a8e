//! Finding and downloading the blob.

use std::net::TcpListener;

use haulout_domain::staging::{Source, StagingCode};
use haulout_local::{
    demo,
    walrus::{Fault, FaultRule},
};
use sha2::{Digest, Sha256};

use super::{check, is_link_to};

#[test]
fn a_good_archive() {
    check(|world| {
        let (report, ended) = world.ready();
        assert_eq!(report.blob_id.unwrap().as_str(), world.stored.blob_id);
        assert!(
            ended.stdout.contains("hello from the model"),
            "{}",
            ended.stdout
        );
        assert!(world.machine.model_is_alive());
        let stage = world.machine.path("stage");
        assert!(is_link_to(
            &world.machine.path("tmp/model"),
            &stage.join("model")
        ));
        assert!(
            world
                .machine
                .read("stage/ran")
                .contains(&format!("in {}", stage.join("model").display()))
        );
    });
}

#[test]
fn the_demo_by_its_object_id_with_size_and_checksum() {
    // It makes a Python environment, which takes a minute beside what uses every core.
    let _alone = haulout_tests::alone::ALONE.blocking_lock();
    check(|world| {
        world.blob(demo::archive());
        world.request.source = Source::Blob(world.stored.object_id.parse().unwrap());
        world.request.size_bytes = Some(world.stored.size);
        world.request.sha256 = Some(
            format!("{:X}", Sha256::digest(&world.blob))
                .parse()
                .unwrap(),
        );
        let (report, _) = world.ready();
        assert_eq!(report.blob_id.unwrap().as_str(), world.stored.blob_id);
        super::until("the demo predicts", || {
            world
                .machine
                .read("tmp/model/prediction.json")
                .contains("\"prediction\":1")
        });
        // As it is used outside of tests: it ends when its folder is gone.
        std::fs::remove_file(world.machine.path("stage/model/weights.txt")).unwrap();
        super::until("the demo ends", || !world.machine.model_is_alive());
    });
}

#[test]
fn a_large_blob_comes_in_pieces_that_walrus_allows() {
    check(|world| {
        world.large_blob();
        world.ready();
        let seen = world.walruses[0].seen();
        let pieces = seen.iter().filter(|request| request.status == 206).count();
        assert_eq!(pieces, 1 + world.blob.len().div_ceil(65536), "{seen:?}");
        assert!(seen.iter().all(|request| request.status == 206));
    });
}

#[test]
fn a_server_without_ranges() {
    check(|world| {
        world.large_blob();
        world.walruses[0].faults().always(Fault::NoRanges);
        world.ready();
        assert_eq!(world.walruses[0].seen().len(), 1);
    });
}

#[test]
fn a_broken_connection_goes_on_where_it_broke() {
    check(|world| {
        world.large_blob();
        world.walruses[0].faults().next(3, Fault::Truncate(30_000));
        world.ready();
        // A piece that is asked for again begins later than it did at first.
        let again = world.walruses[0]
            .seen()
            .iter()
            .filter_map(|seen| {
                seen.range
                    .clone()?
                    .strip_prefix("bytes=")?
                    .split_once('-')?
                    .0
                    .parse::<u64>()
                    .ok()
            })
            .filter(|start| start % 65536 != 0)
            .count();
        assert!(again >= 1, "{again}");
    });
    check(|world| {
        // A small blob is asked for as a whole again.
        world.blob(super::archive::model(
            super::STAYS,
            &[super::archive::Entry::file(
                "model/w",
                super::archive::noise(90_000),
            )],
        ));
        world.walruses[0].faults().next(1, Fault::Truncate(20_000));
        world.ready();
    });
}

#[test]
fn another_aggregator_takes_over() {
    let faults = [
        Fault::Status(500),
        Fault::Status(502),
        Fault::Status(503),
        Fault::Status(429),
        Fault::Status(416),
        Fault::Status(400),
        Fault::Status(404),
        Fault::Cap(0),
        Fault::Cap(1000),
        Fault::Truncate(0),
        Fault::Truncate(500),
        Fault::Stall(500),
        Fault::WrongEtag,
    ];
    for fault in faults {
        eprintln!("{fault:?}");
        check(|world| {
            world.large_blob();
            world.second_walrus();
            world.walruses[0].faults().always(fault);
            world.ready();
        });
    }
    // One that fails in the middle, and one that nobody listens on.
    check(|world| {
        world.large_blob();
        world.second_walrus();
        world.walruses[0].faults().arm(FaultRule {
            blob: None,
            fault: Fault::Stall(60_000),
            times: Some(2),
        });
        world.ready();
    });
    check(|world| {
        let dead = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let alive = world.walruses[0].aggregator_url();
        world.request.aggregators = format!("http://{dead},{alive}").parse().unwrap();
        world.ready();
    });
}

#[test]
fn what_passes_is_waited_for() {
    for (times, status) in [(2, 503), (4, 429), (1, 404)] {
        check(|world| {
            world.walruses[0]
                .faults()
                .next(times, Fault::Status(status));
            world.ready();
        });
    }
}

#[test]
fn each_answer_has_its_failure() {
    let cases = [
        (
            Fault::Status(404),
            StagingCode::BlobNotFound,
            "no aggregator knows the blob",
        ),
        (Fault::Status(451), StagingCode::BlobBlocked, "HTTP 451"),
        (Fault::Status(503), StagingCode::BlobUnavailable, "HTTP 503"),
        (Fault::Status(429), StagingCode::BlobUnavailable, "HTTP 429"),
        (Fault::Status(500), StagingCode::BlobUnavailable, "HTTP 500"),
        (
            Fault::Status(403),
            StagingCode::BlobUnavailable,
            "BLOB_TOO_LARGE",
        ),
        (
            Fault::Cap(100),
            StagingCode::BlobUnavailable,
            "exceeds the maximum",
        ),
        (
            Fault::WrongEtag,
            StagingCode::BlobUnavailable,
            "gave another blob",
        ),
        (Fault::Truncate(0), StagingCode::BlobUnavailable, "cut off"),
        (
            Fault::Truncate(100),
            StagingCode::BlobUnavailable,
            "cut off",
        ),
    ];
    for (fault, code, says) in cases {
        eprintln!("{fault:?}");
        check(|world| {
            world.walruses[0].faults().always(fault);
            let ended = world.fails(code, says);
            assert!(
                !world.machine.path("stage/started").exists(),
                "{}",
                ended.stdout
            );
        });
    }
}

#[test]
fn one_aggregator_that_does_not_know_it_is_not_all() {
    check(|world| {
        world.second_walrus();
        world.walruses[0].faults().always(Fault::Status(404));
        world.walruses[1].faults().always(Fault::Status(503));
        world.fails(StagingCode::BlobUnavailable, "HTTP 404; http");
    });
    check(|world| {
        world.second_walrus();
        for walrus in &world.walruses {
            walrus.faults().always(Fault::Status(404));
        }
        world.fails(StagingCode::BlobNotFound, "no aggregator knows");
        // Twice each: it may just have been uploaded.
        assert_eq!(
            world.walruses[0].seen().len() + world.walruses[1].seen().len(),
            4
        );
    });
}

#[test]
fn a_stalled_connection_is_cut() {
    check(|world| {
        world.request.budget_seconds = 30;
        world.walruses[0].faults().next(6, Fault::Stall(100));
        let ended = world.fails(StagingCode::BlobUnavailable, "cut off");
        assert!(ended.stdout.contains("cut off"));
    });
}

#[test]
fn the_bytes_are_held_against_what_was_promised() {
    check(|world| {
        world.blob(Vec::new());
        world.fails(StagingCode::BlobEmpty, "no bytes");
    });
    check(|world| {
        world.request.size_bytes = Some(7);
        world.fails(StagingCode::SizeMismatch, "7 were expected");
        // It was not worth a download.
        assert_eq!(world.walruses[0].seen().len(), 1);
    });
    check(|world| {
        world.request.sha256 = Some("ab".repeat(32).parse().unwrap());
        let sum = format!("{:x}", Sha256::digest(&world.blob));
        world.fails(StagingCode::ChecksumMismatch, &sum);
        assert!(!world.machine.path("tmp/model.zip").exists());
    });
    check(|world| {
        world.request.sha256 = Some(
            format!("{:x}", Sha256::digest(&world.blob))
                .parse()
                .unwrap(),
        );
        world.walruses[0].faults().always(Fault::WrongBytes);
        world.fails(StagingCode::ChecksumMismatch, "was expected");
    });
}

#[test]
fn a_disk_that_is_too_small_is_noticed_before() {
    // 40 MiB free, as df says it.
    let df = "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'; echo '/dev/root 99999 1 40960 99% /'";
    check(|world| {
        world.large_blob();
        world.machine.shim("df", &df.replace("40960", "33000"));
        world.fails(StagingCode::DiskFull, "MiB are free");
        assert_eq!(world.walruses[0].seen().len(), 1);
    });
    check(|world| {
        world.machine.shim("df", &df.replace("40960", "0"));
        world.fails(StagingCode::DiskFull, "0 MiB are free");
    });
    check(|world| {
        world.machine.shim("df", df);
        world.ready();
    });
    check(|world| {
        // It fills up while curl writes.
        world.large_blob();
        world.machine.shim("curl", "@real@ \"$@\"; exit 23");
        world.fails(StagingCode::DiskFull, "cannot write");
    });
    check(|world| {
        world
            .machine
            .shim("df", "echo 'df: no file systems processed' >&2; exit 1");
        world.ready();
    });
}

#[test]
fn the_time_limit_is_kept_and_named() {
    check(|world| {
        world.request.budget_seconds = 3;
        world.machine.set("HAULOUT_STALL_SECONDS", "600");
        world.walruses[0].faults().always(Fault::Stall(100));
        world.fails(StagingCode::CommandTimeout, "still downloading");
        // What comes later is told the same, and told to start nothing.
        world.walruses[0].faults().clear();
        world.fails(StagingCode::CommandTimeout, "still downloading");
    });
}
