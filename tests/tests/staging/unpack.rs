//! Good, bad and hostile archives, with python3 and with unzip.

use std::{fs, os::unix::fs::PermissionsExt};

use haulout_domain::staging::StagingCode;

use super::{
    World,
    archive::{Entry, model, zip},
    check, check_each,
    machine::STAYS,
};

/// Runs a case with python3 and without.
fn check_both(case: impl Fn(&mut World) + Sync) {
    check_each(&[&case, &|world| {
        world.machine.without(&["python3"]);
        case(world);
    }]);
}

#[track_caller]
fn refused(blob: &[u8], code: StagingCode, says: &str) {
    check_both(|world| {
        world.blob(blob.to_vec());
        world.fails(code, says);
        assert!(!world.machine.path("tmp/model").exists());
        assert!(!world.machine.path("stage/started").exists());
        assert!(!world.machine.path("evil").exists());
    });
}

#[test]
fn what_is_no_archive_is_named() {
    refused(
        b"<!DOCTYPE html>\n<p>not found",
        StagingCode::NotAZip,
        "'<!DOCTYPE html>.'",
    );
    refused(b"x", StagingCode::NotAZip, "begins with 'x'");
    let whole = model(STAYS, &[]);
    refused(
        &whole[..whole.len() - 30],
        StagingCode::ArchiveCorrupt,
        "damaged",
    );
    refused(b"PK\x05\x06", StagingCode::ArchiveCorrupt, "damaged");
}

#[test]
fn damaged_entries_are_noticed() {
    let entry = Entry::file("model/weights", "12345").damaged();
    refused(&model(STAYS, &[entry]), StagingCode::ArchiveCorrupt, "");
}

#[test]
fn the_script_must_be_where_it_belongs() {
    let code = StagingCode::ScriptMissing;
    refused(
        &zip(&[Entry::file("script.sh", STAYS)]),
        code,
        "no folder model/",
    );
    refused(
        &zip(&[Entry::file("other/script.sh", STAYS)]),
        code,
        "no folder model/",
    );
    refused(
        &zip(&[Entry::file("model/run.sh", STAYS)]),
        code,
        "model/script.sh",
    );
    refused(
        &zip(&[Entry::folder("model/"), Entry::folder("model/script.sh/")]),
        code,
        "model/script.sh",
    );
    refused(&zip(&[]), code, "no folder model/");
}

#[test]
fn paths_that_leave_the_folder_are_refused() {
    for name in [
        "../evil",
        "model/../../evil",
        "model/..",
        "/tmp/evil",
        "//evil",
        "model\\..\\..\\evil",
        "..\\evil",
        "C:/evil",
        "c:evil",
        "model/a\nb",
        "model/\u{1b}[31m",
    ] {
        eprintln!("{name:?}");
        refused(
            &model(STAYS, &[Entry::file(name, "x")]),
            StagingCode::ArchiveUnsafe,
            "",
        );
    }
}

#[test]
fn links_that_leave_the_folder_are_refused() {
    let link = |name: &str, target: &str| Entry::link(name, target);
    for entries in [
        vec![link("model/link", "/etc/passwd")],
        vec![link("model/link", "../../evil")],
        vec![link("model/link", "..")],
        vec![link("model/deep/link", "../../x")],
        vec![link("model/link", "")],
        // A file through a link.
        vec![
            link("model/link", "/tmp"),
            Entry::file("model/link/evil", "x"),
        ],
        vec![
            Entry::file("model/link/evil", "x"),
            link("model/link", "/tmp"),
        ],
        // A link through a link that leads up.
        vec![
            link("model/a/b/up", "../.."),
            link("model/out", "a/b/up/../evil"),
        ],
        vec![link("model/loop", "loop/../../x")],
    ] {
        eprintln!("{entries:?}");
        refused(&model(STAYS, &entries), StagingCode::ArchiveUnsafe, "");
    }
    let itself = zip(&[link("model", "/etc"), Entry::file("model/script.sh", STAYS)]);
    refused(&itself, StagingCode::ArchiveUnsafe, "");
}

#[test]
fn links_within_the_folder_are_kept() {
    check(|world| {
        world.blob(model(
            STAYS,
            &[
                Entry::file("model/deep/weights", "1"),
                Entry::link("model/weights", "deep/weights"),
                Entry::link("model/deep/up", "../script.sh"),
                Entry::link("model/dangling", "not/there"),
            ],
        ));
        world.ready();
        let target = fs::read_link(world.machine.path("tmp/model/weights")).unwrap();
        assert_eq!(target.to_str(), Some("deep/weights"));
    });
}

#[test]
fn special_files_and_repeated_names_are_refused() {
    let code = StagingCode::ArchiveUnsafe;
    for kind in [0o010_000, 0o020_000, 0o060_000, 0o140_000] {
        refused(
            &model(STAYS, &[Entry::file("model/odd", "").mode(kind | 0o644)]),
            code,
            "special",
        );
    }
    let twice = [Entry::file("model/a", "1"), Entry::file("model/a", "2")];
    refused(&model(STAYS, &twice), code, "two entries");
}

#[test]
fn a_name_cannot_be_both_a_file_and_a_folder() {
    check(|world| {
        let both = [Entry::file("model/a", "1"), Entry::file("model/a/b", "2")];
        world.blob(model(STAYS, &both));
        world.fails(StagingCode::ArchiveUnsafe, "both a file and a folder");
        world.blob(model(
            STAYS,
            &[Entry::file("model/./a", "1"), Entry::file("model//a", "2")],
        ));
        world.request.cycle += 1;
        world.fails(StagingCode::ArchiveUnsafe, "two entries");
    });
}

#[test]
fn what_cannot_be_read_is_named() {
    let code = StagingCode::ArchiveUnsupported;
    refused(
        &model(STAYS, &[Entry::file("model/secret", "x").encrypted()]),
        code,
        "encrypted",
    );
    refused(
        &model(STAYS, &[Entry::file("model/odd", "x").method(99)]),
        code,
        "",
    );
}

#[test]
fn archives_that_explode_are_refused() {
    let code = StagingCode::ArchiveTooLarge;
    let claims = |size| Entry::file(&format!("model/{size}"), "x").claiming(size);
    let bomb = model(STAYS, &[claims(u32::MAX - 1), claims(2_000_000_000)]);
    refused(&bomb, code, "allowed are 4294967296");
    let many = |count: u32| {
        let entry = |number| Entry::file(&format!("model/{number}"), "");
        model(STAYS, &(0..count).map(entry).collect::<Vec<_>>())
    };
    check(|world| {
        world.blob(many(3_000));
        world.ready();
    });
    check(|world| {
        world.blob(many(100_000));
        world.fails(code, "100002 entries, allowed are 100000");
    });
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_written() {
    check_both(|world| {
        let big = Entry::file("model/big", "x").claiming(300_000_000);
        world.blob(model(STAYS, &[big]));
        world
            .machine
            .shim("df", "echo head; echo '/dev/root 999999 1 204800 99% /'");
        world.fails(StagingCode::DiskFull, "300000");
    });
}

#[test]
fn what_comes_out_is_as_it_was_packed() {
    check_both(|world| {
        world.blob(model(
            STAYS,
            &[
                Entry::file("model/tool", "x").mode(0o100_751),
                Entry::file("model/odd name é '\"$(x)", "x").mode(0o100_600),
                Entry::file("model/-rf", "x"),
                Entry::file("model/raised", "x").mode(0o104_755),
                Entry::file("model/plain", "x").mode(0),
                Entry::folder("model/empty/"),
            ],
        ));
        world.ready();
        let mode = |name: &str| {
            let file = world.machine.path("tmp/model").join(name);
            fs::metadata(file).unwrap().permissions().mode() & 0o7777
        };
        assert_eq!(mode("tool"), 0o751);
        assert_eq!(mode("odd name é '\"$(x)"), 0o600);
        assert_eq!(mode("raised"), 0o755);
        assert_eq!(mode("plain") & 0o600, 0o600);
        assert_eq!(mode("script.sh"), 0o755);
        assert_eq!(mode("empty"), 0o755);
        assert!(world.machine.path("tmp/model/-rf").is_file());
    });
}

#[test]
fn only_the_models_folder_comes_out() {
    check_both(|world| {
        world.blob(model(
            STAYS,
            &[
                Entry::file("README", "x"),
                Entry::file("__MACOSX/model/x", "x"),
            ],
        ));
        world.ready();
        let mut names: Vec<_> = fs::read_dir(world.machine.path("tmp"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["model", "model.zip"]);
    });
}

#[test]
fn what_stood_in_the_way_is_moved_aside() {
    check(|world| {
        fs::create_dir_all(world.machine.path("tmp/model")).unwrap();
        fs::write(world.machine.path("tmp/model/precious"), "x").unwrap();
        std::os::unix::fs::symlink("/nowhere", world.machine.path("tmp/model.zip")).unwrap();
        world.ready();
        let kept = fs::read_dir(world.machine.path("tmp"))
            .unwrap()
            .any(|entry| entry.unwrap().path().join("precious").is_file());
        assert!(kept);
    });
}
