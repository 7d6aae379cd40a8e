//! Machines that lack tools: what is used instead, what is installed, and what is said when nothing helps.

use haulout_domain::staging::StagingCode;
use haulout_local::walrus::Fault;

use super::{World, check};

/// Notes its arguments, and brings the tool on `install`.
fn installer(tool: &str) -> String {
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join(tool))
        .find(|file| file.is_file())
        .unwrap();
    format!(
        "echo \"$*\" >>@dir@/installed; case \"$*\" in *install*{tool}*) ln -s {} @dir@/bin/{tool} ;; esac",
        real.display()
    )
}

#[test]
fn unzip_is_installed_only_where_python3_is_missing_too() {
    for manager in ["apt-get", "dnf", "yum"] {
        check(|world| {
            world.machine.without(&["python3", "unzip"]);
            world.machine.shim(manager, &installer("unzip"));
            world.ready();
            assert!(world.machine.read("installed").contains("-y"));
        });
    }
    check(|world| {
        world.machine.without(&["unzip"]);
        world.machine.shim("apt-get", &installer("unzip"));
        world.ready();
        assert_eq!(world.machine.read("installed"), "");
    });
}

#[test]
fn apt_is_given_its_lists_and_its_time() {
    check(|world| {
        world.machine.without(&["python3", "unzip"]);
        // As on a fresh machine: no lists yet, and somebody else at them at first.
        let apt = installer("unzip").replace("case", "[ -e @dir@/lists ] || case \"$*\" in *update*) [ -e @dir@/once ] && touch @dir@/lists; touch @dir@/once; [ -e @dir@/lists ]; exit ;; *) exit 100 ;; esac; case");
        world.machine.shim("apt-get", &apt);
        world.ready();
        assert_eq!(world.machine.read("installed").lines().count(), 4);
    });
}

#[test]
fn without_any_tool_it_says_so() {
    let code = StagingCode::ToolMissing;
    check(|world| {
        world.machine.without(&["python3", "unzip"]);
        world.fails(code, "neither python3 nor unzip");
    });
    check(|world| {
        world.machine.without(&["python3", "unzip"]);
        world.machine.shim("apt-get", "exit 100");
        world.fails(code, "could not be installed");
    });
    check(|world| {
        world.machine.without(&["python3", "curl"]);
        world.fails(code, "neither curl nor python3");
    });
    check(|world| {
        world.machine.without(&["python3", "flock"]);
        world.fails(code, "flock");
    });
}

#[test]
fn curl_is_installed_where_nothing_can_download() {
    check(|world| {
        world.machine.without(&["python3", "curl"]);
        world.machine.shim("dnf", &installer("curl"));
        world.ready();
    });
}

#[test]
fn python3_downloads_as_curl_does() {
    let check = |case: &(dyn Fn(&mut World) + Sync)| {
        check(|world| {
            world.machine.without(&["curl"]);
            case(world);
        });
    };
    check(&|world| {
        world.ready();
    });
    check(&|world| {
        world.large_blob();
        world.walruses[0].faults().next(3, Fault::Truncate(30_000));
        world.walruses[0].faults().next(2, Fault::Status(503));
        world.ready();
    });
    check(&|world| {
        world.large_blob();
        world.walruses[0].faults().always(Fault::NoRanges);
        world.ready();
    });
    check(&|world| {
        world.large_blob();
        world.second_walrus();
        world.walruses[0].faults().always(Fault::Stall(10));
        world.ready();
    });
    check(&|world| {
        world.blob(Vec::new());
        world.fails(StagingCode::BlobEmpty, "no bytes");
    });
    for (status, code) in [
        (404, StagingCode::BlobNotFound),
        (451, StagingCode::BlobBlocked),
        (503, StagingCode::BlobUnavailable),
        (403, StagingCode::BlobUnavailable),
    ] {
        check(&|world| {
            world.walruses[0].faults().always(Fault::Status(status));
            world.fails(
                code,
                &format!("HTTP {status}").replace("HTTP 404", "no aggregator"),
            );
        });
    }
}

#[test]
fn venv_is_installed_only_where_it_is_missing() {
    // Debian's python3 without python3-venv.
    let python = "case \"$*\" in *ensurepip*) [ -e @dir@/venv ]; exit ;; esac; exec @real@ \"$@\"";
    check(|world| {
        world.machine.shim("python3", python);
        world.machine.shim(
            "apt-get",
            "echo \"$*\" >>@dir@/installed; case \"$*\" in *install*) touch @dir@/venv ;; esac",
        );
        let (_, ended) = world.ready();
        let installed = world.machine.read("installed");
        assert!(
            installed.contains("install python3-venv python3."),
            "{installed}"
        );
        assert!(!ended.stdout.contains("warning"), "{}", ended.stdout);
    });
    // Not to be had: a warning, no failure; and the versioned package may not exist.
    check(|world| {
        world.machine.shim("python3", python);
        world
            .machine
            .shim("apt-get", "echo \"$*\" >>@dir@/installed; exit 100");
        let (_, ended) = world.ready();
        assert!(
            ended
                .stdout
                .contains("warning: python3 -m venv does not work"),
            "{}",
            ended.stdout
        );
        assert!(
            world.machine.read("installed").ends_with("python3-venv\n")
                || world.machine.read("installed").ends_with("update\n")
        );
    });
    // A package manager that hangs does not take the whole time.
    check(|world| {
        world.machine.shim("python3", python);
        world.machine.shim("apt-get", "exec sleep 300");
        world.request.budget_seconds = 6;
        world.ready();
    });
    // Where it works, nobody is bothered.
    check(|world| {
        world.machine.shim(
            "python3",
            "case \"$*\" in *ensurepip*) exit 0 ;; esac; exec @real@ \"$@\"",
        );
        world
            .machine
            .shim("apt-get", "echo \"$*\" >>@dir@/installed");
        world.ready();
        assert_eq!(world.machine.read("installed"), "");
    });
}
