//! Tests of the inspection: with archives as the `zip` crate makes them, with archives made by hand to deceive, and
//! with anything at all.

mod any;
mod hostile;
mod raw;
mod real;

use super::{Inspection, Inspector, Refusal};

/// Looks into an archive whose last bytes are these, as S3 would be read. Answers how many reads it took, too.
fn look(size: u64, last: &[u8]) -> (Result<Inspection, Refusal>, u32) {
    let mut inspector = match Inspector::new(size) {
        Ok(inspector) => inspector,
        Err(refusal) => return (Err(refusal), 0),
    };
    for reads in 1..=3 {
        let wanted = inspector.wanted();
        assert!(
            wanted.len > 0 && wanted.offset + wanted.len <= size,
            "{wanted:?}"
        );
        // Before the directory there is the entries' data, of which nothing is made.
        let data = size - last.len() as u64;
        let zeros = data.saturating_sub(wanted.offset).min(wanted.len);
        let begin = usize::try_from(wanted.offset.saturating_sub(data)).unwrap();
        let len = usize::try_from(wanted.len - zeros).unwrap();
        let bytes = [
            &vec![0; usize::try_from(zeros).unwrap()],
            &last[begin..][..len],
        ]
        .concat();
        match inspector.feed(&bytes) {
            Ok(None) => assert_ne!(inspector.wanted(), wanted),
            Ok(Some(inspection)) => return (Ok(inspection), reads),
            Err(refusal) => return (Err(refusal), reads),
        }
    }
    panic!("it takes at most three reads");
}

fn inspect(archive: &[u8]) -> Result<Inspection, Refusal> {
    look(archive.len() as u64, archive).0
}

#[test]
fn bytes_other_than_asked_for_are_refused() {
    let mut inspector = Inspector::new(1000).unwrap();
    let given = inspector.feed(&[0; 999]);
    let (wanted, given_bytes) = (1000, 999);
    assert_eq!(
        given,
        Err(Refusal::Bytes {
            wanted,
            given: given_bytes
        })
    );
}
