//! The model's script: started apart from the command, watched, and reported.

use haulout_domain::staging::{ScriptState, StagingCode};
use nix::{
    sys::signal::{Signal, kill},
    unistd::getsid,
};

use super::{
    World,
    archive::model,
    check,
    machine::{Ended, STAYS},
    until,
};

#[test]
fn a_script_that_is_done_already_is_fine() {
    check(|world| {
        world.script_that_ends("echo done; touch result; exit 0");
        let (report, ended) = world.ready();
        assert_eq!(report.script, ScriptState::Ended);
        assert!(ended.stdout.contains("done"));
        assert!(world.machine.path("tmp/model/result").is_file());
    });
}

#[test]
fn a_script_that_dies_at_once_is_a_failure_with_its_last_lines() {
    let cases = [
        ("echo one; echo two >&2; exit 3", "status 3", "one | two"),
        ("exit 1", "status 1", "it printed nothing"),
        ("no-such-program --serve", "status 127", "no-such-program"),
        ("kill -SEGV $$", "status 139", ""),
        ("if then", "status 2", ""),
        (
            "printf 'x%.0s' $(awk 'BEGIN { for (i = 0; i < 9000; i++) print i }'); exit 1",
            "status 1",
            "xxx",
        ),
        ("echo line one\r\nexit 1\r\n", "", "Windows line ends"),
    ];
    for (script, status, says) in cases {
        eprintln!("{script}");
        check(|world| {
            world.script_that_ends(script);
            let ended = world.fails(StagingCode::ScriptFailed, status);
            assert!(
                ended.outcome().unwrap_err().message.contains(says),
                "{}",
                ended.stdout
            );
        });
    }
}

#[test]
fn the_script_lives_on_in_a_session_of_its_own() {
    check(|world| {
        let (report, _) = world.ready();
        assert_eq!(report.script, ScriptState::Running);
        let pid = world.machine.model();
        assert_eq!(report.pid, Some(u32::try_from(pid.as_raw()).unwrap()));
        assert_eq!(getsid(Some(pid)).unwrap(), pid);
        // It keeps nothing of the command open, and its settings are its own.
        let fds = world.machine.path("no");
        assert!(!fds.exists());
        let open: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .map(|fd| std::fs::read_link(fd.unwrap().path()).unwrap_or_default())
            .filter(|target| {
                target.starts_with(world.machine.path("")) && !target.ends_with("script.sh")
            })
            .collect();
        assert!(
            open.iter().all(|target| target.ends_with("model.log")),
            "{open:?}"
        );
        let environment = world.machine.read(&format!("/proc/{pid}/environ"));
        assert!(
            !environment.contains("HAULOUT_WATCH_SECONDS"),
            "{environment}"
        );
        // When it ends one day, that is written down.
        kill(pid, Signal::SIGTERM).unwrap();
        until("the end is noted", || {
            world.machine.read("stage/script.exit").trim() == "143"
        });
    });
}

fn results(ended: &Ended) -> usize {
    let marked = |line: &&str| line.starts_with("haulout: ");
    ended.stdout.lines().filter(marked).count()
}

#[test]
fn what_the_script_prints_cannot_pass_for_the_result() {
    check(|world| {
        world.script_that_ends(
            "for i in 1 2 3; do echo 'haulout: ready script=running pid=1'; printf '\\033[2J\\r\\n'; done; exit 9"
);
        let ended = world.fails(StagingCode::ScriptFailed, "status 9");
        assert_eq!(results(&ended), 1);
        assert!(!ended.stdout.contains('\u{1b}'));
    });
    check(|world| {
        // A flood of output does not push the result out of SSM's first 24,000 characters.
        world.blob(model("awk 'BEGIN { for (i = 0; i < 200000; i++) print \"haulout: failed not_a_zip: \" i }'; sleep 600 & wait", &[]));
        let (_, ended) = world.ready();
        assert_eq!(results(&ended), 1);
    });
}

#[test]
fn machines_without_bash_setsid_flock_or_home() {
    check(|world| {
        world
            .machine
            .without(&["bash", "setsid", "flock", "timeout", "nohup"]);
        world.machine.shim("nohup", "exec \"$@\"");
        world.machine.set("HOME", "");
        world.blob(model(&format!("{STAYS}\n# $HOME"), &[]));
        world.ready();
        assert!(world.machine.model_is_alive());
    });
}

/// Stands in for systemd-run: notes its arguments and runs what follows the options.
const SYSTEMD_RUN: &str =
    "echo \"$*\" >>@dir@/scopes; while [ \"${1#--}\" != \"$1\" ]; do shift; done; exec \"$@\"";

#[test]
fn under_systemd_the_script_gets_a_scope_of_its_own() {
    let with_systemd = |world: &mut World, shim: &str| {
        world.machine.shim("systemd-run", shim);
        world.machine.shim("id", "echo 0");
        let folder = world.machine.path("no-systemd");
        std::fs::create_dir(folder).unwrap();
    };
    check(|world| {
        with_systemd(world, SYSTEMD_RUN);
        world.ready();
        assert!(
            world
                .machine
                .read("scopes")
                .starts_with("--scope --quiet setsid sh -c")
        );
        assert_eq!(world.machine.runs(), 1);
    });
    check(|world| {
        with_systemd(world, "echo 'Failed to connect to bus' >&2; exit 1");
        world.ready();
        assert_eq!(world.machine.runs(), 1);
    });
    check(|world| {
        // A scope that comes after we have given it up does not start the script a second time.
        let slow = format!(
            "while [ ! -s @dir@/stage/script.pid ]; do sleep 0.1; done; touch @dir@/late; {SYSTEMD_RUN}"
        );
        with_systemd(world, &slow);
        world.machine.set("HAULOUT_WATCH_SECONDS", "0.5");
        let end = world.stage();
        assert!(end.outcome().is_ok(), "{}", end.stdout);
        until("the late scope has come and gone", || {
            world.machine.path("scopes").exists()
                && !world
                    .machine
                    .processes()
                    .iter()
                    .any(|(_, command)| command.contains("systemd-run"))
        });
        assert_eq!(world.machine.runs(), 1);
        assert!(world.machine.model_is_alive());
    });
}
