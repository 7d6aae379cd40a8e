//! Parts: how large they are, and which ones make an archive.

use proptest::prelude::*;

use super::{
    super::part::{
        DEFAULT_PART_SIZE, ETag, MAX_PARTS, MAX_SIZE, Part, PartsError, SizeError,
        check_part_number, check_parts, part_size,
    },
    part,
};

const MIB: u64 = 1 << 20;

#[test]
fn parts_are_as_large_as_it_takes() {
    for (size, expected) in [
        (None, 8),
        (Some(1), 8),
        (Some(80_000 * MIB), 8),
        (Some(80_000 * MIB + 1), 9),
        (Some(MAX_SIZE), 477),
    ] {
        assert_eq!(part_size(size), Ok(expected * MIB), "{size:?}");
    }
    assert_eq!(part_size(Some(0)), Err(SizeError::Empty));
    assert_eq!(
        part_size(Some(MAX_SIZE + 1)),
        Err(SizeError::TooLarge(MAX_SIZE + 1))
    );
}

#[test]
fn parts_come_once_and_in_order() {
    let check =
        |numbers: &[u32]| check_parts(&numbers.iter().map(|it| part(*it)).collect::<Vec<_>>());
    assert_eq!(check(&[1, 2, 3]), Ok(()));
    assert_eq!(check(&[2, 5, MAX_PARTS]), Ok(()));
    assert_eq!(check(&[]), Err(PartsError::None));
    assert_eq!(check(&[0, 1]), Err(PartsError::Number(0)));
    assert_eq!(
        check(&[1, MAX_PARTS + 1]),
        Err(PartsError::Number(MAX_PARTS + 1))
    );
    assert_eq!(check(&[1, 3, 3]), Err(PartsError::Order(3)));
    assert_eq!(check(&[1, 3, 2]), Err(PartsError::Order(2)));
    assert!(check_part_number(1).is_ok() && check_part_number(0).is_err());
}

#[test]
fn parts_are_written_as_s3_has_them() {
    let read: Vec<Part> =
        serde_json::from_str(r#"[{"PartNumber": 1, "ETag": "\"0a-1\""}]"#).unwrap();
    assert_eq!((read[0].number, read[0].etag.as_str()), (1, "0a-1"));
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(written, r#"[{"PartNumber":1,"ETag":"0a-1"}]"#);
    assert!(serde_json::from_str::<Part>(r#"{"PartNumber": -1, "ETag": "a"}"#).is_err());
    for etag in ["", "\"\"", "a b", "<a/>", "\"a", "a\n", "W/\"a\""] {
        assert!(etag.parse::<ETag>().is_err(), "{etag}");
    }
}

proptest! {
    #[test]
    fn every_archive_fits_into_its_parts(size in 1..=MAX_SIZE) {
        let part = part_size(Some(size)).unwrap();
        prop_assert!(size.div_ceil(part) <= u64::from(MAX_PARTS));
        prop_assert!(part.is_multiple_of(MIB) && (DEFAULT_PART_SIZE..=5 << 30).contains(&part));
        // A mebibyte less would not do, or is less than the least.
        prop_assert!(part == DEFAULT_PART_SIZE || size.div_ceil(part - MIB) > u64::from(MAX_PARTS));
    }
}
