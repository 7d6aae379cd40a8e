//! The end of an archive: where its directory is.

use super::{MAX_DIRECTORY, MAX_ENTRIES, Refusal, Span, u16_at, u32_at, u64_at};

/// Bytes of the record at the end, without its comment (4.3.16).
pub(super) const END_LEN: usize = 22;
const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
/// Bytes of the note before it that says where the zip64 record is (4.3.15).
const LOCATOR_LEN: usize = 20;
const LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
/// Bytes of the zip64 record without what may follow in it (4.3.14).
const ZIP64_LEN: u64 = 56;
const ZIP64_SIGNATURE: u32 = 0x0606_4b50;
/// How many bytes are read at first: the end with the longest comment, and before it, as a rule, the zip64 records and
/// a small directory.
pub(super) const TAIL: u64 = 128 << 10;
/// The longest comment.
const MAX_COMMENT: usize = 0xffff;

/// The record at the end.
#[derive(Debug)]
pub(super) struct End {
    /// Where the directory must end: there are no bytes between it and what follows.
    limit: u64,
    entries: u16,
    size: u32,
    offset: u32,
    /// Where the zip64 record is, if there is one.
    pub(super) zip64: Option<Span>,
}

/// What the zip64 record says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zip64 {
    entries: u64,
    size: u64,
    offset: u64,
}

/// Where the directory is.
#[derive(Debug)]
pub(super) struct Directory {
    /// Its bytes. An archive without entries has none.
    pub(super) span: Span,
    /// Entries in it.
    pub(super) entries: u64,
}

/// Finds the end in the last bytes, which begin at `base`.
pub(super) fn find_end(base: u64, tail: &[u8]) -> Result<End, Refusal> {
    let at = end_record(tail)?;
    let (position, record) = (base + at as u64, &tail[at..]);
    let damaged = || Refusal::Damaged("its end is too short");
    let short = |at| u16_at(record, at).ok_or_else(damaged);
    let long = |at| u32_at(record, at).ok_or_else(damaged);
    let (disk, first_disk, entries_here, entries) = (short(4)?, short(6)?, short(8)?, short(10)?);
    let mut end = End {
        limit: position,
        entries,
        size: long(12)?,
        offset: long(16)?,
        zip64: None,
    };
    if let Some(locator) = locator(&tail[..at]) {
        let (disk, offset, disks) = locator;
        if disk != 0 || disks > 1 {
            return Err(Refusal::Split);
        }
        let limit = position - LOCATOR_LEN as u64;
        let len = limit.checked_sub(offset).filter(|len| *len >= ZIP64_LEN);
        // It may have an extension, which nobody uses; a long one is no record any more.
        let len = len.filter(|len| *len <= TAIL);
        let len = len.ok_or(Refusal::Damaged(
            "its zip64 record is not where it should be",
        ))?;
        end.zip64 = Some(Span { offset, len });
        end.limit = offset;
    } else if end.size == u32::MAX || end.offset == u32::MAX {
        return Err(Refusal::Damaged("its zip64 record is missing"));
    }
    let is_whole = [(disk, 0), (first_disk, 0), (entries_here, entries)]
        .into_iter()
        .all(|(it, expected)| it == expected || (end.zip64.is_some() && it == u16::MAX));
    if !is_whole {
        return Err(Refusal::Split);
    }
    Ok(end)
}

/// Where the record at the end begins. It reaches to the last byte, and nothing else could be taken for it: readers
/// differ in whether they look from the front or the back, and in whether they believe the length of the comment.
fn end_record(tail: &[u8]) -> Result<usize, Refusal> {
    let window = tail.len().saturating_sub(END_LEN + MAX_COMMENT);
    let mut found = None;
    let mut is_any = false;
    for at in (window..tail.len().saturating_sub(3)).rev() {
        if tail[at..at + 4] != END_SIGNATURE {
            continue;
        }
        let comment = u16_at(tail, at + 20).map(usize::from);
        let is_exact = comment.is_some_and(|comment| at + END_LEN + comment == tail.len());
        match (is_exact, found) {
            (true, None) if is_any => {
                return Err(Refusal::Ambiguous(
                    "its comment holds another archive's end",
                ));
            }
            (true, None) => found = Some(at),
            (true, Some(_)) => return Err(Refusal::Ambiguous("it has two ends")),
            (false, _) => is_any = true,
        }
    }
    match found {
        Some(at) => Ok(at),
        None if is_any => Err(Refusal::Ragged),
        None => Err(Refusal::NotZip),
    }
}

/// The disk of the zip64 record, its offset, and how many disks there are.
fn locator(before_end: &[u8]) -> Option<(u32, u64, u32)> {
    let locator = &before_end[before_end.len().checked_sub(LOCATOR_LEN)?..];
    if u32_at(locator, 0)? != LOCATOR_SIGNATURE {
        return None;
    }
    Some((
        u32_at(locator, 4)?,
        u64_at(locator, 8)?,
        u32_at(locator, 16)?,
    ))
}

/// Reads the zip64 record, from its first byte to its last.
pub(super) fn read_zip64(record: &[u8]) -> Result<Zip64, Refusal> {
    let damaged = || Refusal::Damaged("its zip64 record is not one");
    let long = |at| u32_at(record, at).ok_or_else(damaged);
    let longest = |at| u64_at(record, at).ok_or_else(damaged);
    let len = record.len() as u64;
    if long(0)? != ZIP64_SIGNATURE || longest(4)?.checked_add(12) != Some(len) {
        return Err(damaged());
    }
    if long(16)? != 0 || long(20)? != 0 || longest(24)? != longest(32)? {
        return Err(Refusal::Split);
    }
    Ok(Zip64 {
        entries: longest(32)?,
        size: longest(40)?,
        offset: longest(48)?,
    })
}

impl End {
    /// Where the directory is. Where both records give a number, it is the same one.
    pub(super) fn directory(&self, zip64: Option<Zip64>) -> Result<Directory, Refusal> {
        let (entries, size, offset) = match zip64 {
            None => (
                u64::from(self.entries),
                u64::from(self.size),
                u64::from(self.offset),
            ),
            Some(zip64) => {
                let is_same = (self.entries == u16::MAX
                    || u64::from(self.entries) == zip64.entries)
                    && (self.size == u32::MAX || u64::from(self.size) == zip64.size)
                    && (self.offset == u32::MAX || u64::from(self.offset) == zip64.offset);
                if !is_same {
                    return Err(Refusal::Ambiguous("its two ends give different numbers"));
                }
                (zip64.entries, zip64.size, zip64.offset)
            }
        };
        if entries > MAX_ENTRIES {
            return Err(Refusal::Entries(entries));
        }
        if size > MAX_DIRECTORY {
            return Err(Refusal::Directory(size));
        }
        if offset.checked_add(size) != Some(self.limit) {
            return Err(Refusal::Damaged(
                "its directory is not where it should be: something stands before the archive, or is missing",
            ));
        }
        let span = Span { offset, len: size };
        Ok(Directory { span, entries })
    }
}
