//! The directory as a whole: every entry by itself, and that they do not contradict each other.

use std::collections::HashSet;

use super::{
    BOMB_BYTES, BOMB_RATIO, Inspection, MAX_ENTRIES, Refusal,
    end::Directory,
    entry::{Entry, read_entry},
    path::clean,
};
use crate::package::text::clip;

/// The file that staging starts.
const SCRIPT: &[u8] = b"model/script.sh";

/// Reads the directory, from its first byte to its last, of an archive of that many bytes.
pub(super) fn read_directory(
    directory: &Directory,
    bytes: &[u8],
    size: u64,
) -> Result<Inspection, Refusal> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (entry, behind) = read_entry(rest)?;
        entries.push(entry);
        if entries.len() as u64 > MAX_ENTRIES {
            return Err(Refusal::Entries(entries.len() as u64));
        }
        rest = behind;
    }
    if entries.len() as u64 != directory.entries {
        return Err(Refusal::Ambiguous(
            "its directory has more or fewer entries than it says",
        ));
    }
    let has_script = check_paths(&entries)?;
    check_places(&mut entries, directory.span.offset)?;
    let unpacked = entries
        .iter()
        .fold(0_u64, |sum, entry| sum.saturating_add(entry.unpacked));
    if unpacked > BOMB_BYTES && unpacked / BOMB_RATIO > size {
        return Err(Refusal::Bomb { size, unpacked });
    }
    Ok(Inspection {
        entries: directory.entries,
        unpacked_bytes: unpacked,
        has_script,
    })
}

/// No path leaves the folder, and no two are the same. Whether there is a script, the answer says.
fn check_paths(entries: &[Entry<'_>]) -> Result<bool, Refusal> {
    let mut paths = HashSet::with_capacity(entries.len());
    let mut has_script = false;
    for entry in entries {
        if let Some(name) = entry.unicode_name {
            clean(name)?;
        }
        let path = clean(entry.name)?;
        has_script |= !entry.is_folder && path.as_slice() == SCRIPT;
        // The folder itself, "./", is nobody's.
        if !path.is_empty() && !paths.insert(path) {
            return Err(Refusal::Twice(shown(entry)));
        }
    }
    Ok(has_script)
}

/// No two entries share bytes, and none reaches into the directory: archives that unpack to many times what any honest
/// one does are made of entries that lie over each other.
fn check_places(entries: &mut [Entry<'_>], directory: u64) -> Result<(), Refusal> {
    entries.sort_unstable_by_key(|entry| entry.begin);
    let next = entries.iter().skip(1).map(|entry| entry.begin);
    let limits: Vec<u64> = next.chain([directory]).collect();
    match entries
        .iter()
        .zip(limits)
        .find(|(entry, limit)| entry.end > *limit)
    {
        Some((entry, _)) => Err(Refusal::Overlap(shown(entry))),
        None => Ok(()),
    }
}

fn shown(entry: &Entry<'_>) -> String {
    clip(&String::from_utf8_lossy(entry.name))
}
