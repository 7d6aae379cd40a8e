//! Bad archives, each refused for what is bad about it.

use std::io::Write;

use zip::write::SimpleFileOptions;

use super::{
    super::{MAX_DIRECTORY, MAX_ENTRIES, Refusal},
    inspect, look,
    raw::{Entry, Raw},
    real::{deflated, model, zipped},
};

fn refusal(archive: &Raw) -> Refusal {
    look(archive.size(), &archive.last).0.unwrap_err()
}

fn of_entries(entries: &[Entry]) -> Refusal {
    refusal(&Raw::of(entries).end())
}

/// One entry that differs from a good one.
fn of_one(change: impl FnOnce(&mut Entry)) -> Refusal {
    let mut entry = Entry::file("model/a");
    change(&mut entry);
    of_entries(&[entry])
}

#[test]
fn what_is_no_zip_is_refused() {
    for bytes in [
        &b""[..],
        b"PK",
        &[0; 22],
        &vec![b'a'; 300_000],
        &model()[..200],
    ] {
        assert_eq!(
            inspect(bytes),
            Err(Refusal::NotZip),
            "{} bytes",
            bytes.len()
        );
    }
}

#[test]
fn an_archive_cut_off_anywhere_is_refused() {
    let archive = model();
    for len in 0..archive.len() {
        assert!(
            inspect(&archive[..len]).is_err(),
            "{len} of {} bytes",
            archive.len()
        );
    }
    // From the front, the directory is not where it should be.
    for begin in 1..archive.len() {
        assert!(inspect(&archive[begin..]).is_err(), "from byte {begin}");
    }
}

#[test]
fn what_is_put_before_or_behind_an_archive_is_refused() {
    let archive = model();
    let behind = [&archive[..], b"\n"].concat();
    assert_eq!(inspect(&behind), Err(Refusal::Ragged));
    let before = [b"#!/bin/sh\n", &archive[..]].concat();
    assert!(matches!(inspect(&before), Err(Refusal::Damaged(_))));
    let two = [&archive[..], &archive[..]].concat();
    assert!(matches!(inspect(&two), Err(Refusal::Damaged(_))));
}

#[test]
fn an_end_within_a_comment_is_refused() {
    // One reader takes the last end, another one the first.
    let hidden = Raw::of(&[]).end().last;
    let entries = [Entry::file("model/script.sh")];
    let archive = Raw::of(&entries).end_commented(&hidden);
    assert_eq!(refusal(&archive), Refusal::Ambiguous("it has two ends"));
    // This one does not reach to the last byte, which not everybody minds.
    let archive = Raw::of(&entries).end_commented(&[&hidden[..], b"..."].concat());
    assert!(matches!(refusal(&archive), Refusal::Ambiguous(_)));
    // One whose own directory is in the comment, too.
    let mut comment = Raw::of(&[Entry::file("model/evil")]).end().last;
    comment.extend(b"PK\x05\x06");
    assert!(matches!(
        refusal(&Raw::of(&entries).end_commented(&comment)),
        Refusal::Ambiguous(_)
    ));
}

#[test]
fn an_end_that_points_elsewhere_is_refused() {
    let raw = || Raw::of(&[Entry::file("a"), Entry::file("b")]);
    let (len, offset) = (raw().last.len() as u64, raw().offset);
    for (len, offset) in [
        (len, offset + 1),
        (len, 0),
        (len - 1, offset),
        (0, offset),
        (len + 1, offset - 1),
    ] {
        let archive = raw().end_with(2, len, offset, b"");
        assert!(
            matches!(refusal(&archive), Refusal::Damaged(_)),
            "{len} at {offset}"
        );
    }
    // Only the second entry: the first one is hidden from who believes the end.
    let one = len / 2;
    let archive = raw().end_with(1, one, offset + one, b"");
    assert_eq!(look(archive.size(), &archive.last).0.unwrap().entries, 1);
    for entries in [0, 1, 3] {
        let archive = raw().end_with(entries, len, offset, b"");
        assert!(
            matches!(refusal(&archive), Refusal::Ambiguous(_)),
            "{entries}"
        );
    }
    let archive = raw().end_with(2, u64::MAX, u64::MAX, b"");
    assert!(matches!(refusal(&archive), Refusal::Damaged(_)));
}

#[test]
fn two_ends_that_differ_are_refused() {
    let raw = || Raw::of(&[Entry::file("a"), Entry::file("b")]);
    let (len, offset) = (raw().last.len() as u64, raw().offset);
    let archive = raw().zip64().end_with(1, len, offset, b"");
    assert!(matches!(refusal(&archive), Refusal::Ambiguous(_)));
    let archive = raw().zip64().end_with(2, u64::MAX, 0, b"");
    assert!(matches!(refusal(&archive), Refusal::Ambiguous(_)));
    for (len, offset) in [(len, offset + 1), (u64::MAX, 1), (1, u64::MAX)] {
        let archive = raw()
            .zip64_with(2, len, offset, b"")
            .end_with(2, u64::MAX, u64::MAX, b"");
        assert!(
            look(archive.size(), &archive.last).0.is_err(),
            "{len} at {offset}"
        );
    }
}

#[test]
fn a_damaged_zip64_record_is_refused() {
    let archive = Raw::of(&[Entry::file("a")]).zip64().end();
    let record = archive.last.len() - 22 - 20 - 56;
    // Its signature, its length, disks, the locator's disk and offset.
    for at in [0, 4, 5, 16, 20, 24, 56 + 4, 56 + 8, 56 + 15] {
        let mut last = archive.last.clone();
        last[record + at] ^= 0x41;
        assert!(look(archive.size(), &last).0.is_err(), "byte {at}");
    }
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    let few = || Raw::of(&[Entry::file("a")]);
    let archive =
        few()
            .zip64_with(MAX_ENTRIES + 1, 60, 0, b"")
            .end_with(u64::MAX, u64::MAX, u64::MAX, b"");
    assert_eq!(refusal(&archive), Refusal::Entries(MAX_ENTRIES + 1));
    let archive = few().end_with(1, MAX_DIRECTORY + 1, 0, b"");
    assert_eq!(refusal(&archive), Refusal::Directory(MAX_DIRECTORY + 1));
    // More than the end says.
    let entries: Vec<_> = (0..=MAX_ENTRIES)
        .map(|at| Entry::sized(at.to_string(), 0, 0))
        .collect();
    let raw = Raw::of(&entries);
    let (len, offset) = (raw.last.len() as u64, raw.offset);
    assert_eq!(
        refusal(&raw.end_with(7, len, offset, b"")),
        Refusal::Entries(MAX_ENTRIES + 1)
    );
    let most = Raw::of(&entries[1..]).zip64().end();
    assert_eq!(
        look(most.size(), &most.last).0.unwrap().entries,
        MAX_ENTRIES
    );
}

#[test]
fn paths_that_leave_the_folder_are_refused() {
    for name in [
        "../a",
        "model/../../a",
        "model/../b",
        "..",
        "/etc/passwd",
        "//a",
        "C:/a",
        "c:a",
        "model\\a",
        "..\\a",
        "",
        "a\0b",
        "model/a\nb",
        "model/\x7f",
        "model/\x1b[2J",
    ] {
        assert!(
            matches!(of_entries(&[Entry::file(name)]), Refusal::Path { .. }),
            "{name:?}"
        );
    }
    let long = ["a".repeat(256), "a/".repeat(1501) + "b"];
    for name in long {
        assert!(matches!(
            of_entries(&[Entry::file(name)]),
            Refusal::Path { .. }
        ));
    }
    // Not what it looks like in another encoding.
    let odd = Entry::file(b"model/\xff\xfe..\xe9");
    assert_eq!(inspect_raw(&[odd]).entries, 1);
    assert_eq!(
        inspect_raw(&[Entry::file("..a"), Entry::file("a..b/...")]).entries,
        2
    );
}

fn inspect_raw(entries: &[Entry]) -> super::Inspection {
    let archive = Raw::of(entries).end();
    look(archive.size(), &archive.last).0.unwrap()
}

#[test]
fn a_second_name_is_looked_at_too() {
    let named = |name: &[u8]| {
        let len = u8::try_from(name.len()).unwrap() + 5;
        let field = [&[0x75, 0x70, len, 0, 1, 0, 0, 0, 0], name].concat();
        of_one(|entry| entry.extra = field)
    };
    assert!(matches!(named(b"../../etc/passwd"), Refusal::Path { .. }));
    assert!(matches!(named(b""), Refusal::Path { .. }));
}

#[test]
fn one_name_for_two_entries_is_refused() {
    let two = |one: &str, other: &str| of_entries(&[Entry::file(one), Entry::file(other)]);
    assert_eq!(two("model/a", "model/a"), Refusal::Twice("model/a".into()));
    assert_eq!(
        two("model/a", "./model//a"),
        Refusal::Twice("./model//a".into())
    );
    let folder = Entry {
        attributes: 0,
        ..Entry::sized("model/a/", 0, 0)
    };
    let both = of_entries(&[Entry::file("model/a"), folder]);
    assert_eq!(both, Refusal::Twice("model/a/".into()));
}

#[test]
fn encrypted_entries_are_refused() {
    for bits in [1, 1 << 6, 1 << 13, 0xffff] {
        assert!(
            matches!(of_one(|it| it.flags = bits), Refusal::Encrypted(_)),
            "{bits:#x}"
        );
    }
    assert!(matches!(of_one(|it| it.method = 99), Refusal::Encrypted(_)));
    // What is no encryption: a descriptor behind the data, names in UTF-8.
    let mut fine = Entry::file("a");
    fine.flags = 1 << 3 | 1 << 11;
    assert_eq!(inspect_raw(&[fine]).entries, 1);
}

#[test]
fn links_and_special_files_are_refused() {
    let link = zipped(|zip| {
        zip.add_symlink("model/a", "/etc/passwd", SimpleFileOptions::default())
            .unwrap();
    });
    assert_eq!(inspect(&link), Err(Refusal::Special("model/a".into())));
    for mode in [0o020_644, 0o060_644, 0o010_644, 0o140_644, 0o120_777] {
        assert!(
            matches!(of_one(|it| it.attributes = mode << 16), Refusal::Special(_)),
            "{mode:o}"
        );
    }
    // A file that is called like a folder.
    assert!(matches!(
        of_one(|it| it.name = b"model/".into()),
        Refusal::Special(_)
    ));
}

#[test]
fn methods_that_machines_lack_are_refused() {
    for method in [1, 6, 9, 93, 95, 98, 0xffff] {
        assert!(
            matches!(of_one(|it| it.method = method), Refusal::Method { .. }),
            "{method}"
        );
    }
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    assert!(matches!(of_one(|it| it.packed = 1000), Refusal::Damaged(_)));
    assert!(matches!(of_one(|it| it.disk = 1), Refusal::Split));
    // Sizes that overflow, with and without room for them.
    let huge = Entry {
        begin: Some(5),
        ..Entry::sized("a", u64::MAX - 1, u64::MAX - 1)
    };
    let archive = Raw {
        offset: 100,
        ..Raw::of(&[huge])
    };
    assert!(matches!(refusal(&archive.end()), Refusal::Damaged(_)));
    // The number that stands for "in the extra field", without one; and with two.
    let mut entry = Entry::file("a");
    entry.extra = vec![1, 0, 0, 0, 1, 0, 0, 0];
    assert!(matches!(of_entries(&[entry]), Refusal::Ambiguous(_)));
    let mut raw = Raw::of(&[Entry::file("a")]);
    raw.last[24..28].fill(0xff);
    assert!(matches!(refusal(&raw.end()), Refusal::Damaged(_)));
}

#[test]
fn entries_over_each_other_are_refused() {
    // The zip crate can do that: two names for the same bytes.
    let archive = zipped(|zip| {
        zip.start_file("a", deflated()).unwrap();
        zip.write_all(&[0; 10_000]).unwrap();
        zip.shallow_copy_file("a", "b").unwrap();
    });
    assert!(matches!(inspect(&archive), Err(Refusal::Overlap(_))));
    // Each entry's data holds the next one's header, as in zip bombs without recursion.
    let quoting = |begin, packed| Entry {
        begin: Some(begin),
        ..Entry::sized("a", packed, packed)
    };
    let entries = [
        Entry {
            name: b"b".into(),
            ..quoting(0, 1000)
        },
        Entry {
            name: b"c".into(),
            ..quoting(31, 969)
        },
    ];
    assert_eq!(of_entries(&entries), Refusal::Overlap("b".into()));
    // Into the directory.
    let raw = Raw {
        offset: 1053,
        ..Raw::of(&[Entry::sized("a", 1024, 1024)])
    };
    assert_eq!(refusal(&raw.end()), Refusal::Overlap("a".into()));
}

#[test]
fn bombs_are_refused() {
    let bomb = |packed, unpacked| {
        let archive = Raw::of(&[Entry::sized("model/script.sh", packed, unpacked)]).end();
        look(archive.size(), &archive.last).0
    };
    let giga = 1 << 30;
    assert!(matches!(bomb(1000, giga + 1), Err(Refusal::Bomb { .. })));
    assert!(matches!(
        bomb(giga / 201, giga + giga / 10),
        Err(Refusal::Bomb { .. })
    ));
    // Sums that overflow.
    let halves = ["a", "b", "c"].map(|name| Entry::sized(name, 10, u64::MAX / 2));
    assert!(matches!(of_entries(&halves), Refusal::Bomb { .. }));
    // Much, but not absurd; absurd, but little.
    assert!(bomb(giga / 199, giga + 1).is_ok());
    assert!(bomb(1000, giga).is_ok());
}

#[test]
fn what_is_said_of_an_archive_stays_short_and_on_one_line() {
    let name = "../\u{1b}[31m\n".repeat(2000);
    let said = of_entries(&[Entry::file(name)]).to_string();
    assert!(
        said.chars().count() < 300 && !said.contains(char::is_control),
        "{said}"
    );
}
