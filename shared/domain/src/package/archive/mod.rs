//! What an archive holds, read from the directory at its end: an archive of gigabytes is looked into with one or two
//! reads of some kilobytes. No I/O here: an [`Inspector`] says which bytes it wants and is fed them.
//!
//! Whatever could be read in two ways is refused, because what unpacks an archive may read it the other way. What the
//! directory says of sizes is only a claim; whoever unpacks keeps to it.
//!
//! Source: PKWARE's APPNOTE.TXT 6.3.10, "4.3 General Format of a .ZIP file".

mod directory;
mod end;
mod entry;
mod path;
mod refusal;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::refusal::Refusal;
use self::{
    directory::read_directory,
    end::{Directory, End, TAIL, find_end, read_zip64},
};

/// The most entries; staging unpacks no more either.
pub const MAX_ENTRIES: u64 = 100_000;

/// The most bytes of a directory.
pub const MAX_DIRECTORY: u64 = 64 << 20;

/// An archive that unpacks to more than this many bytes...
pub const BOMB_BYTES: u64 = 1 << 30;

/// ...and to more than so many times its own size, is there to fill disks.
pub const BOMB_RATIO: u64 = 200;

/// What an archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// Entries, folders included.
    pub entries: u64,
    /// Bytes it unpacks to, as its directory says.
    pub unpacked_bytes: u64,
    /// It has a script that staging can start: `model/script.sh`, or `script.sh`.
    pub has_script: bool,
}

/// Bytes of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where they begin.
    pub offset: u64,
    /// How many; never 0, and never beyond the archive's end.
    pub len: u64,
}

impl Span {
    /// These bytes, if they are among the others.
    fn within(self, others: Self, bytes: &[u8]) -> Option<&[u8]> {
        let begin = usize::try_from(self.offset.checked_sub(others.offset)?).ok()?;
        let len = usize::try_from(self.len).ok()?;
        bytes.get(begin..begin.checked_add(len)?)
    }
}

/// Looks into an archive:
///
/// ```ignore
/// let mut inspector = Inspector::new(size_bytes)?;
/// let inspection = loop {
///     let bytes = read(inspector.wanted())?;
///     if let Some(inspection) = inspector.feed(&bytes)? {
///         break inspection;
///     }
/// };
/// ```
#[derive(Debug)]
pub struct Inspector {
    size: u64,
    stage: Stage,
}

/// What is read next.
#[derive(Debug)]
enum Stage {
    /// The last bytes.
    Tail(Span),
    /// The record that stands in for the end's own numbers where those are too small.
    Zip64(Span, End),
    /// The directory.
    Directory(Directory),
}

impl Inspector {
    /// For an archive of that many bytes.
    pub fn new(size_bytes: u64) -> Result<Self, Refusal> {
        if size_bytes < end::END_LEN as u64 {
            return Err(Refusal::NotZip);
        }
        let len = size_bytes.min(TAIL);
        let offset = size_bytes - len;
        Ok(Self {
            size: size_bytes,
            stage: Stage::Tail(Span { offset, len }),
        })
    }

    /// The bytes to feed next.
    pub fn wanted(&self) -> Span {
        match &self.stage {
            Stage::Tail(span) | Stage::Zip64(span, _) => *span,
            Stage::Directory(directory) => directory.span,
        }
    }

    /// Takes exactly the bytes that are [`Self::wanted`]. Nothing is answered while more are.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<Inspection>, Refusal> {
        let wanted = self.wanted();
        let given = bytes.len() as u64;
        if given != wanted.len {
            let wanted = wanted.len;
            return Err(Refusal::Bytes { wanted, given });
        }
        // What comes next is mostly among these bytes already: small archives need one read.
        loop {
            self.stage = match &self.stage {
                Stage::Tail(_) => {
                    let end = find_end(wanted.offset, bytes)?;
                    match end.zip64 {
                        Some(record) => Stage::Zip64(record, end),
                        None => Stage::Directory(end.directory(None)?),
                    }
                }
                Stage::Zip64(record, end) => match record.within(wanted, bytes) {
                    Some(record) => Stage::Directory(end.directory(Some(read_zip64(record)?))?),
                    None => return Ok(None),
                },
                Stage::Directory(directory) if directory.span.len == 0 => {
                    return read_directory(directory, &[], self.size).map(Some);
                }
                Stage::Directory(directory) => match directory.span.within(wanted, bytes) {
                    Some(bytes) => return read_directory(directory, bytes, self.size).map(Some),
                    None => return Ok(None),
                },
            };
        }
    }
}

/// Numbers as zip has them: little-endian. Nothing where there are not enough bytes.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    bytes.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}
