//! A machine that was stopped and started gets the command again, with the next cycle: the folder of its users stays,
//! the model starts anew.

use std::fs;

use haulout_domain::staging::{Source, StagingCode};
use haulout_local::walrus::Fault;
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
};

use super::{
    World,
    archive::{Entry, model},
    check, check_each, is_link_to,
    machine::{STAYS, real},
    until_none,
};

/// A file that no archive brings.
const OWN: &str = "stage/model/my own notes";

/// What a reboot does to a machine: no process is left, and nothing in the temporary directory.
fn reboot(world: &mut World) {
    until_none("no process is left", || {
        let left = world.machine.processes();
        for (pid, _) in &left {
            // It may have ended meanwhile.
            let _ = kill(*pid, Signal::SIGKILL);
        }
        (!left.is_empty()).then_some(left)
    });
    fs::remove_dir_all(world.machine.path("tmp")).unwrap();
    world.request.cycle += 1;
}

/// Staged, used, stopped and started.
fn used_and_rebooted(world: &mut World) {
    world.ready();
    fs::write(world.machine.path(OWN), "mine").unwrap();
    reboot(world);
}

/// The next staging goes the full way: the archive's folder replaces the one that is there.
#[track_caller]
fn replaces_the_folder(world: &World) {
    let runs = world.machine.runs();
    world.ready();
    assert!(!world.machine.path(OWN).exists());
    assert_eq!(world.machine.runs(), runs + 1);
}

#[test]
fn started_again_it_keeps_the_folder_and_asks_no_aggregator() {
    let by_blob_id: &(dyn Fn(&mut World) + Sync) = &|_| {};
    let by_object_id: &(dyn Fn(&mut World) + Sync) = &|world| {
        world.request.source = Source::Blob(world.stored.object_id.parse().unwrap());
        world.request.size_bytes = Some(world.stored.size);
    };
    for named in [by_blob_id, by_object_id] {
        check(|world| {
            named(world);
            let (before, _) = world.ready();
            fs::write(world.machine.path(OWN), "mine").unwrap();
            let asked = world.requests();
            // A second time, too.
            for runs in [2, 3] {
                reboot(world);
                world.walruses[0].faults().always(Fault::Status(500));
                let (after, _) = world.ready();
                assert_eq!(world.machine.read(OWN), "mine");
                assert_eq!(world.requests(), asked);
                assert_eq!(world.machine.runs(), runs);
                assert!(world.machine.model_is_alive());
                // Also what only an aggregator could tell.
                assert!(after.blob_id.is_some());
                assert_eq!(after.blob_id, before.blob_id);
                assert_eq!(after.size_bytes, before.size_bytes);
            }
        });
    }
}

#[test]
fn the_links_are_made_anew() {
    let point_to_the_stage = |world: &World| {
        for name in ["model", "model.zip"] {
            let link = world.machine.path("tmp").join(name);
            assert!(is_link_to(&link, &world.machine.path("stage").join(name)));
        }
    };
    check(|world| {
        used_and_rebooted(world);
        world.ready();
        point_to_the_stage(world);
    });
    check(|world| {
        // Where the temporary directory outlives a reboot, and somebody was there before us.
        used_and_rebooted(world);
        fs::create_dir_all(world.machine.path("tmp/model")).unwrap();
        std::os::unix::fs::symlink("/nowhere", world.machine.path("tmp/model.zip")).unwrap();
        world.ready();
        point_to_the_stage(world);
    });
    check(|world| {
        // Who needs the room may delete the archive; the folder stays, and no link leads nowhere.
        used_and_rebooted(world);
        fs::remove_file(world.machine.path("stage/model.zip")).unwrap();
        let end = world.stage();
        let report = end.outcome().unwrap();
        assert_eq!(report.size_bytes, Some(world.stored.size));
        assert_eq!(world.machine.read(OWN), "mine");
        assert!(world.machine.path("tmp/model").exists());
        assert!(fs::symlink_metadata(world.machine.path("tmp/model.zip")).is_err());
    });
}

#[test]
fn pythons_venv_is_made_sure_of_again() {
    check(|world| {
        used_and_rebooted(world);
        // As after an upgrade of Python that took it away.
        let python =
            "case \"$*\" in *ensurepip*) [ -e @dir@/venv ]; exit ;; esac; exec @real@ \"$@\"";
        world.machine.shim("python3", python);
        let apt = "case \"$*\" in *install*) touch @dir@/venv ;; esac";
        world.machine.shim("apt-get", apt);
        world.ready();
        assert!(world.machine.path("venv").exists());
        assert_eq!(world.machine.read(OWN), "mine");
    });
}

#[test]
fn another_blob_is_downloaded() {
    check(|world| {
        used_and_rebooted(world);
        let asked = world.requests();
        world.blob(model(STAYS, &[Entry::file("model/second", "x")]));
        replaces_the_folder(world);
        assert!(world.requests() > asked);
        assert!(world.machine.path("tmp/model/second").is_file());
    });
}

#[test]
fn other_checks_are_made() {
    let wrong_sum = "ab".repeat(32);
    check_each(&[
        &|world| {
            used_and_rebooted(world);
            world.request.sha256 = Some(wrong_sum.parse().unwrap());
            world.fails(StagingCode::ChecksumMismatch, "was expected");
        },
        &|world| {
            used_and_rebooted(world);
            world.request.size_bytes = Some(world.stored.size + 1);
            world.fails(StagingCode::SizeMismatch, "were expected");
        },
        &|world| {
            used_and_rebooted(world);
            world.request.size_bytes = Some(world.stored.size);
            replaces_the_folder(world);
        },
    ]);
}

#[test]
fn what_is_not_whole_is_unpacked_again() {
    check_each(&[
        &|world| {
            used_and_rebooted(world);
            fs::remove_file(world.machine.path("stage/unpacked")).unwrap();
            replaces_the_folder(world);
        },
        &|world| {
            used_and_rebooted(world);
            fs::remove_file(world.machine.path("stage/model/script.sh")).unwrap();
            replaces_the_folder(world);
        },
        &|world| {
            // An archive cut short, as a power failure leaves it, is not taken for the blob.
            used_and_rebooted(world);
            fs::remove_file(world.machine.path("stage/unpacked")).unwrap();
            let archive = fs::File::options()
                .write(true)
                .open(world.machine.path("stage/model.zip"))
                .unwrap();
            archive.set_len(30).unwrap();
            replaces_the_folder(world);
        },
    ]);
}

/// Stages, and kills the command after unpacking and before that is noted.
fn killed_before_the_note(world: &World) {
    let reached = world.machine.path("reached");
    let shim = "case \"$*\" in */unpacked.new*) touch @dir@/reached; exec sleep 300 ;; esac; exec @real@ \"$@\"";
    world.machine.shim("mv", shim);
    let running = world.machine.start(&world.request);
    until_none("the folder is in its place", || {
        (!reached.exists()).then_some("not yet")
    });
    running.kill_group();
    assert_eq!(running.end().code, None);
    assert!(world.machine.path("stage/model/script.sh").is_file());
    world
        .machine
        .shim("mv", &format!("exec {} \"$@\"", real("mv").display()));
}

#[test]
fn killed_before_unpacking_is_noted_it_unpacks_again() {
    check(|world| {
        killed_before_the_note(world);
        fs::write(world.machine.path(OWN), "mine").unwrap();
        reboot(world);
        replaces_the_folder(world);
    });
    check(|world| {
        // What was noted of the blob before is not true of this one's folder.
        let first = world.request.source.clone();
        world.ready();
        reboot(world);
        world.blob(model(STAYS, &[Entry::file("model/second", "x")]));
        killed_before_the_note(world);
        reboot(world);
        world.request.source = first;
        assert!(world.stage().outcome().is_ok());
        assert!(!world.machine.path("stage/model/second").exists());
    });
}

/// Ignores a request to end, and notes whether one of its kind was still there when it began.
const STUBBORN: &str = "#!/bin/sh
trap '' TERM
for pid in $(cut -d ' ' -f 1 \"$HAULOUT_STAGE_DIR/ran\"); do
    kill -0 \"$pid\" && touch \"$HAULOUT_STAGE_DIR/overlap\"
done
echo \"$$ in $(pwd)\" >>\"$HAULOUT_STAGE_DIR/ran\"
sleep 600 & wait
";

/// Becomes a program whose name could be mistaken for a process's figures.
const ODD: &str = "echo \"$$ in $(pwd)\" >>\"$HAULOUT_STAGE_DIR/ran\"
ln -sf \"$(command -v sleep)\" 'script.sh 1 (b)'
exec './script.sh 1 (b)' 600
";

#[test]
fn the_model_of_the_cycle_before_is_stopped_first() {
    let stopped = |world: &mut World, script: &str| {
        world.blob(model(script, &[]));
        world.ready();
        let before = world.machine.model();
        // Its end is noted a moment late; the new one is watched for longer than that.
        let late = "case \"$*\" in *script.exit.new*) sleep 0.5 ;; esac; exec @real@ \"$@\"";
        world.machine.shim("mv", late);
        world.machine.set("HAULOUT_WATCH_SECONDS", "1.5");
        world.request.cycle += 1;
        world.ready();
        assert_eq!(kill(before, None), Err(Errno::ESRCH));
        // With all that it had started.
        until_none("only the new model's own process is left", || {
            let mut left = world.machine.processes();
            left.retain(|(_, command)| command.ends_with(" 600 "));
            (left.len() != 1).then_some(left)
        });
        assert!(!world.machine.path("stage/overlap").exists());
        assert_eq!(world.machine.runs(), 2);
        assert_ne!(world.machine.model(), before);
        assert!(world.machine.model_is_alive());
    };
    check_each(&[
        &|world| stopped(world, STAYS),
        &|world| stopped(world, STUBBORN),
        &|world| stopped(world, ODD),
    ]);
}

#[test]
fn who_got_the_models_number_after_a_reboot_is_left_alone() {
    check(|world| {
        world.ready();
        let other = world.machine.model();
        // As old as the model was, but since another boot.
        let born = world.machine.read("stage/script.born");
        let (age, boot) = born.split_once('\n').unwrap();
        assert_eq!(boot.trim().len(), 36, "{born}");
        let before = "0".repeat(36);
        fs::write(
            world.machine.path("stage/script.born"),
            format!("{age}\n{before}\n"),
        )
        .unwrap();
        world.request.cycle += 1;
        world.ready();
        assert!(kill(other, None).is_ok());
        assert_ne!(world.machine.model(), other);
    });
}

#[test]
fn the_same_command_again_reports_and_starts_nothing() {
    check(|world| {
        used_and_rebooted(world);
        let (report, _) = world.ready();
        let (runs, asked) = (world.machine.runs(), world.requests());
        let model = world.machine.model();
        assert_eq!(world.ready().0, report);
        assert_eq!(world.machine.runs(), runs);
        assert_eq!(world.requests(), asked);
        assert_eq!(world.machine.model(), model);
        assert_eq!(world.machine.read(OWN), "mine");
    });
    check(|world| {
        // Two at once, as SendCommand may be repeated.
        used_and_rebooted(world);
        let copies = [(); 2].map(|()| world.machine.start(&world.request));
        let [first, second] = copies.map(|copy| copy.end().outcome().unwrap());
        assert_eq!(first, second);
        assert_eq!(world.machine.runs(), 2);
    });
}
