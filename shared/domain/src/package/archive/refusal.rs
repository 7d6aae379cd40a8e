//! Why an archive is refused.

use super::{BOMB_RATIO, MAX_DIRECTORY, MAX_ENTRIES};

/// Why an archive is refused. Fit for a caller; what it repeats of the archive is short and on one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has no end as zip files have one.
    #[error("the archive is not a zip file, or its end is missing: upload a complete zip archive")]
    NotZip,
    /// It has one, and something after it, or not all of it.
    #[error(
        "the archive's end is cut off, or something follows it: upload the zip archive as it was made, without anything appended"
    )]
    Ragged,
    /// It has more than one, or one that says two things.
    #[error(
        "the archive can be read in two ways ({0}): make the zip archive anew, without a comment"
    )]
    Ambiguous(&'static str),
    /// What it says of itself does not hold.
    #[error("the archive is damaged ({0}): make the zip archive anew and upload it again")]
    Damaged(&'static str),
    /// It is one of several.
    #[error("the archive is split over several files: make one zip archive of them")]
    Split,
    /// Too many entries.
    #[error(
        "the archive has {0} entries, allowed are {MAX_ENTRIES}: pack many small files into one, or split the package"
    )]
    Entries(u64),
    /// Too large a directory.
    #[error(
        "the archive's directory has {0} bytes, allowed are {MAX_DIRECTORY}: use shorter names, or split the package"
    )]
    Directory(u64),
    /// A name that could reach beyond the folder it is unpacked to.
    #[error("the archive has an entry '{name}' {why}: use relative paths with '/' between folders")]
    Path {
        /// As it is.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two entries of one name.
    #[error("the archive has two entries '{0}': make the zip archive anew with one of them")]
    Twice(String),
    /// Nobody could unpack it.
    #[error("the entry '{0}' is encrypted: make the zip archive anew without a password")]
    Encrypted(String),
    /// A link, or what is neither a file nor a folder.
    #[error("the entry '{0}' is a link or a special file: pack the file itself (zip without -y)")]
    Special(String),
    /// A method machines cannot unpack.
    #[error(
        "the entry '{name}' is packed with method {method}, which machines cannot unpack: use deflate"
    )]
    Method {
        /// As it is.
        name: String,
        /// APPNOTE.TXT 4.4.5.
        method: u16,
    },
    /// Entries that share bytes.
    #[error("the entry '{0}' lies over another one: make the zip archive anew")]
    Overlap(String),
    /// It would fill the disk.
    #[error(
        "the archive has {size} bytes and unpacks to {unpacked}, more than {BOMB_RATIO} times as many: leave out what is empty"
    )]
    Bomb {
        /// Its bytes.
        size: u64,
        /// Its entries' bytes.
        unpacked: u64,
    },
    /// Whoever reads it gave other bytes than were asked for.
    #[error(
        "the archive could not be read: {wanted} bytes were asked for, {given} came. Try again"
    )]
    Bytes {
        /// As asked for.
        wanted: u64,
        /// As given.
        given: u64,
    },
}
