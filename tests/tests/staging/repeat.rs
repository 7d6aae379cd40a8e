//! The command sent twice, cut off, and sent again: SendCommand has no client token.

use std::path::Path;

use haulout_domain::staging::StagingCode;
use haulout_local::walrus::Fault;
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
};

use super::{World, archive::model, check, check_end, machine::STAYS, until};

#[test]
fn copies_at_once_stage_once_and_all_report_it() {
    check(|world| {
        let copies: Vec<_> = (0..4)
            .map(|_| world.machine.start(&world.request))
            .collect();
        let ends: Vec<_> = copies
            .into_iter()
            .map(super::machine::Running::end)
            .collect();
        let first = ends[0].outcome().unwrap();
        for end in &ends {
            check_end(&world.machine, end);
            assert_eq!(end.outcome().unwrap(), first);
        }
        assert_eq!(world.machine.runs(), 1);
        assert_eq!(world.requests(), 2);
    });
}

#[test]
fn the_same_cycle_again_reports_the_same() {
    check(|world| {
        let (report, _) = world.ready();
        let asked = world.requests();
        assert_eq!(world.ready().0, report);
        assert_eq!(world.requests(), asked);
        assert_eq!(world.machine.runs(), 1);
    });
    check(|world| {
        world.walruses[0].faults().always(Fault::Status(451));
        world.fails(StagingCode::BlobBlocked, "451");
        world.walruses[0].faults().clear();
        world.fails(StagingCode::BlobBlocked, "451");
    });
}

#[test]
fn another_cycle_starts_anew_and_replaces_the_model() {
    check(|world| {
        world.ready();
        let before = world.machine.model();
        world.blob(model(
            STAYS,
            &[super::archive::Entry::file("model/second", "x")],
        ));
        world.request.cycle = 2;
        world.ready();
        assert_eq!(world.machine.runs(), 2);
        assert!(world.machine.path("tmp/model/second").is_file());
        assert_ne!(world.machine.model(), before);
        assert_eq!(kill(before, None), Err(Errno::ESRCH));
        assert!(world.machine.model_is_alive());
        assert!(!world.machine.path("stage/script.exit").exists());
    });
    check(|world| {
        // After a failure, too.
        world.walruses[0].faults().next(1, Fault::Status(451));
        world.fails(StagingCode::BlobBlocked, "451");
        world.request.cycle = 2;
        world.ready();
    });
}

/// Holds the command in the middle of the download.
fn in_the_download(world: &mut World) {
    world.large_blob();
    world.machine.set("HAULOUT_STALL_SECONDS", "600");
    world.walruses[0].faults().always(Fault::Stall(50_000));
}

#[test]
fn a_signal_is_answered_at_once_with_a_clear_line() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        check(|world| {
            in_the_download(world);
            let running = world.machine.start(&world.request);
            until("the pieces are under way", || world.requests() >= 5);
            running.signal(signal);
            let end = running.end();
            check_end(&world.machine, &end);
            let failure = end.outcome().unwrap_err();
            assert_eq!(failure.code, StagingCode::StagingInterrupted);
            assert!(failure.message.contains("downloading"), "{failure}");
            // Nothing was decided: the same cycle can be staged.
            world.walruses[0].faults().clear();
            world.ready();
            assert_eq!(world.machine.runs(), 1);
        });
    }
}

#[test]
fn what_was_downloaded_before_a_kill_is_not_downloaded_again() {
    check(|world| {
        world.large_blob();
        world.machine.set("HAULOUT_STALL_SECONDS", "600");
        // The first four pieces come, the others hang.
        let running = {
            world.machine.shim(
                "curl",
                "case \"$*\" in *' 262144-'*) exec sleep 300 ;; esac; exec @real@ \"$@\"",
            );
            world.machine.start(&world.request)
        };
        until("four pieces are there", || {
            std::fs::metadata(world.machine.path("stage/blob/part"))
                .is_ok_and(|part| part.len() == 262_144)
        });
        running.kill_group();
        let end = running.end();
        assert_eq!(end.code, None);
        assert_eq!(end.outcome().unwrap_err().code, StagingCode::CommandUnclear);
        let asked = world.walruses[0].seen().len();
        world.machine.shim(
            "curl",
            &format!("exec {} \"$@\"", super::machine::real("curl").display()),
        );
        world.ready();
        let later = world.walruses[0].seen().split_off(asked);
        assert!(
            later
                .iter()
                .all(|seen| seen.range.as_deref() != Some("bytes=0-65535")),
            "{later:?}"
        );
        assert_eq!(world.machine.runs(), 1);
    });
}

/// Whether the command has come so far, told from its stage directory.
type Reached = fn(&Path) -> bool;

/// Kills the command each time it reaches a step, then sends it again.
#[test]
fn killed_at_any_step_the_next_copy_goes_on() {
    let steps: [(&str, Reached); 6] = [
        ("lock", |stage| stage.join("lock").exists()),
        ("cycle", |stage| stage.join("cycle").exists()),
        ("whole", |stage| stage.join("blob/pin").exists()),
        ("zip", |stage| stage.join("model.zip").exists()),
        ("started", |stage| stage.join("started").exists()),
        ("pid", |stage| stage.join("script.pid").exists()),
    ];
    for (name, reached) in steps {
        eprintln!("killed at {name}");
        check(|world| {
            let stage = world.machine.path("stage");
            let running = world.machine.start(&world.request);
            until(name, || reached(&stage));
            running.kill_group();
            running.end();
            world.ready();
            assert_eq!(world.machine.runs(), 1);
            assert!(world.machine.model_is_alive());
        });
    }
}

#[test]
fn a_copy_that_waits_for_another_has_its_own_time_limit() {
    check(|world| {
        in_the_download(world);
        let running = world.machine.start(&world.request);
        until("the first is at work", || world.requests() >= 1);
        world.request.budget_seconds = 2;
        let end = world.stage();
        let failure = end.outcome().unwrap_err();
        assert_eq!(failure.code, StagingCode::CommandTimeout);
        assert!(failure.message.contains("waiting for another"), "{failure}");
        running.signal(Signal::SIGTERM);
        running.end();
    });
}
