//! Good archives.

use std::io::{Cursor, Write};

use proptest::prelude::*;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{
    super::{Inspection, TAIL},
    inspect, look,
    raw::{Entry, Raw},
};

type Writer = ZipWriter<Cursor<Vec<u8>>>;

/// An archive as the `zip` crate makes it.
pub(super) fn zipped(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    fill(&mut writer);
    writer.finish().unwrap().into_inner()
}

pub(super) fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

/// A model as staging takes it.
pub(super) fn model() -> Vec<u8> {
    zipped(|zip| {
        zip.add_directory("model/", stored()).unwrap();
        zip.start_file("model/script.sh", deflated().unix_permissions(0o755))
            .unwrap();
        zip.write_all(b"echo ready\n").unwrap();
        zip.start_file("model/weights.bin", stored()).unwrap();
        zip.write_all(&[7; 5000]).unwrap();
    })
}

#[test]
fn a_model_is_looked_into_with_one_read() {
    let archive = model();
    let (inspection, reads) = look(archive.len() as u64, &archive);
    let expected = Inspection {
        entries: 3,
        unpacked_bytes: 5011,
        has_script: true,
    };
    assert_eq!((inspection.unwrap(), reads), (expected, 1));
}

#[test]
fn a_script_is_found_where_staging_looks_and_nowhere_else() {
    let has_script = |name: &str| {
        let archive = zipped(|zip| zip.start_file(name, stored()).unwrap());
        inspect(&archive).unwrap().has_script
    };
    assert!(has_script("model/script.sh") && !has_script("script.sh"));
    assert!(has_script("./model//script.sh"));
    for name in [
        "other/script.sh",
        "model/a/script.sh",
        "model/script.sh.txt",
        "script",
    ] {
        assert!(!has_script(name), "{name}");
    }
    let folder = zipped(|zip| zip.add_directory("script.sh", stored()).unwrap());
    assert!(!inspect(&folder).unwrap().has_script);
}

#[test]
fn an_archive_without_entries_is_one() {
    let inspection = inspect(&zipped(|_| ())).unwrap();
    assert_eq!((inspection.entries, inspection.unpacked_bytes), (0, 0));
}

#[test]
fn a_comment_is_no_hindrance() {
    for len in [1, 500, 0xffff] {
        let archive = zipped(|zip| {
            zip.start_file("a", stored()).unwrap();
            zip.set_raw_comment(vec![b'P'; len].into()).unwrap();
        });
        assert_eq!(inspect(&archive).unwrap().entries, 1, "{len}");
    }
}

#[test]
fn an_archive_within_an_archive_is_a_file_as_any_other() {
    let archive = zipped(|zip| {
        zip.start_file("model/inner.zip", stored()).unwrap();
        zip.write_all(&model()).unwrap();
    });
    assert_eq!(inspect(&archive).unwrap().entries, 1);
}

#[test]
fn a_directory_larger_than_the_first_read_is_read_by_itself() {
    let names = (0..3000).map(|at| format!("model/{at:060}"));
    let entries: Vec<_> = names.map(Entry::file).collect();
    for archive in [Raw::of(&entries).end(), Raw::of(&entries).zip64().end()] {
        assert!(archive.last.len() as u64 > TAIL);
        let (inspection, reads) = look(archive.size(), &archive.last);
        assert_eq!((inspection.unwrap().entries, reads), (3000, 2));
    }
}

#[test]
fn five_terabytes_are_looked_into_with_one_read() {
    let file = |name, bytes| Entry::sized(name, bytes, bytes);
    let entries = [
        file("model/script.sh", 20),
        file("model/one", 3_000_000_000_000),
        file("model/two", u64::from(u32::MAX)),
        file("model/three", 1_900_000_000_000),
    ];
    let archive = Raw::of(&entries).zip64().end();
    let (inspection, reads) = look(archive.size(), &archive.last);
    let inspection = inspection.unwrap();
    assert_eq!((inspection.entries, reads), (4, 1));
    let sum = 4_900_000_000_020 + u64::from(u32::MAX);
    assert_eq!(
        (inspection.unpacked_bytes, inspection.has_script),
        (sum, true)
    );
    // The same with what may follow in the record.
    let raw = Raw::of(&entries);
    let (len, offset) = (raw.last.len() as u64, raw.offset);
    let archive = raw.zip64_with(4, len, offset, &[0; 40]).end();
    assert_eq!(look(archive.size(), &archive.last).0.unwrap().entries, 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_the_zip_crate_packs_is_read_as_it_is(
        names in proptest::collection::btree_set("[a-zé]{1,9}(/[a-z .]{1,3}[a-z]){0,3}", 0..12),
        contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 12),
        large: bool,
        comment in "[a-z]{0,40}",
    ) {
        // A file is never a folder too.
        let names: Vec<_> = names.iter().enumerate().map(|(at, name)| format!("{at}{name}")).collect();
        let archive = zipped(|zip| {
            for (name, content) in names.iter().zip(&contents) {
                zip.start_file(name, deflated().large_file(large)).unwrap();
                zip.write_all(content).unwrap();
            }
            zip.set_comment(comment).unwrap();
        });
        let inspection = inspect(&archive).unwrap();
        let bytes: usize = contents.iter().take(names.len()).map(Vec::len).sum();
        prop_assert_eq!(inspection.entries, names.len() as u64);
        prop_assert_eq!(inspection.unpacked_bytes, bytes as u64);
    }
}
