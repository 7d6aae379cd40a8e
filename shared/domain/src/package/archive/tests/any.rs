//! Any bytes at all: nothing panics, and what is accepted is what everybody else reads.

use std::io::Cursor;

use proptest::prelude::*;
use zip::ZipArchive;

use super::{
    inspect,
    raw::{Entry, Raw},
    real::model,
};

/// Bytes with what readers look for strewn in.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        Just(b"PK\x05\x06".to_vec()),
        Just(b"PK\x06\x06".to_vec()),
        Just(b"PK\x06\x07".to_vec()),
        Just(b"PK\x01\x02".to_vec()),
        Just(vec![0; 20]),
        Just(vec![0xff; 8]),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn entry() -> impl Strategy<Value = Entry> {
    let size = prop_oneof![0..100_u64, Just(u64::from(u32::MAX)), any::<u64>()];
    let sizes = (size.clone(), size.clone(), proptest::option::of(size));
    let words = (any::<u16>(), 0..15_u16, any::<u32>());
    (
        ".{0,12}",
        sizes,
        words,
        proptest::collection::vec(any::<u8>(), 0..30),
    )
        .prop_map(
            |(name, (packed, unpacked, begin), (flags, method, attributes), extra)| Entry {
                flags,
                method,
                attributes,
                extra,
                begin,
                ..Entry::sized(name, packed, unpacked)
            },
        )
}

proptest! {
    #[test]
    fn any_bytes_are_looked_into(bytes in bytes()) {
        let _ = inspect(&bytes);
    }

    #[test]
    fn any_bytes_with_an_end_are_looked_into(bytes in bytes(), entries in 0..4_u64, zip64: bool) {
        let raw = Raw { last: bytes, ..Raw::of(&[]) };
        let len = raw.last.len() as u64;
        let raw = if zip64 { raw.zip64_with(entries, len, 0, b"") } else { raw };
        let _ = inspect(&raw.end_with(entries, len, 0, b"").last);
    }

    #[test]
    fn any_entries_are_looked_into(entries in proptest::collection::vec(entry(), 0..5), offset: u64) {
        let raw = Raw { offset: offset / 4, ..Raw::of(&entries) }.zip64().end();
        let _ = super::look(raw.size(), &raw.last);
    }

    #[test]
    fn whatever_is_accepted_the_zip_crate_reads_alike(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut archive = model();
        for (at, byte) in changes {
            // Half of the changes hit the directory and the end.
            let at = at.index(archive.len() * 2);
            let at = if at < archive.len() { at } else { archive.len() - 1 - at % 300 };
            archive[at] = byte;
        }
        if let Ok(inspection) = inspect(&archive) {
            let mut theirs = ZipArchive::new(Cursor::new(&archive)).unwrap();
            prop_assert_eq!(theirs.len() as u64, inspection.entries);
            for at in 0..theirs.len() {
                let entry = theirs.by_index_raw(at);
                // It looks at the entry's own header too, which may be damaged.
                let Ok(entry) = entry else { continue };
                prop_assert!(entry.enclosed_name().is_some(), "{:?}", entry.name());
                prop_assert!(!entry.is_symlink() && !entry.encrypted());
            }
        }
    }
}
