//! One entry of the directory (4.3.12).

use super::{Refusal, u16_at, u32_at, u64_at};
use crate::package::text::clip;

const SIGNATURE: u32 = 0x0201_4b50;
/// Bytes before its name.
const FIXED: usize = 46;
/// Bytes of the header before an entry's data, without its name and extra fields (4.3.7).
const LOCAL: u64 = 30;
/// The extra field with the numbers that have no room in the entry (4.5.3).
const ZIP64: u16 = 0x0001;
/// The extra field with the name in Unicode (4.6.9): some unpack by it.
const UNICODE_PATH: u16 = 0x7075;
/// Bits that say encrypted: by itself, strongly, and the directory as well (4.4.4).
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// Methods Python's zipfile unpacks, as staging uses it: stored, deflated, bzip2, LZMA.
const METHODS: [u16; 4] = [0, 8, 12, 14];
/// WinZip's encryption stands where the method does (4.4.5).
const AES: u16 = 99;

/// One entry of the directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Its path, as it is.
    pub(super) name: &'a [u8],
    /// Its path in Unicode, if it is given twice.
    pub(super) unicode_name: Option<&'a [u8]>,
    /// It is a folder.
    pub(super) is_folder: bool,
    /// Bytes it unpacks to.
    pub(super) unpacked: u64,
    /// Where it begins.
    pub(super) begin: u64,
    /// The least byte behind it.
    pub(super) end: u64,
}

/// Reads the first entry, and answers the bytes behind it too.
pub(super) fn read_entry(bytes: &[u8]) -> Result<(Entry<'_>, &[u8]), Refusal> {
    let cut = || Refusal::Damaged("its directory ends within an entry");
    let short = |at| u16_at(bytes, at).ok_or_else(cut);
    let long = |at| u32_at(bytes, at).ok_or_else(cut);
    if long(0)? != SIGNATURE {
        return Err(Refusal::Damaged("its directory holds what is no entry"));
    }
    let (flags, method) = (short(8)?, short(10)?);
    let (packed, unpacked, attributes, begin) = (long(20)?, long(24)?, long(38)?, long(42)?);
    let lens = [short(28)?, short(30)?, short(32)?].map(usize::from);
    let [name, extra, comment] = lens;
    let variable = bytes.get(FIXED..).unwrap_or_default();
    let (name, rest) = variable.split_at_checked(name).ok_or_else(cut)?;
    let (extra, rest) = rest.split_at_checked(extra).ok_or_else(cut)?;
    let (_, rest) = rest.split_at_checked(comment).ok_or_else(cut)?;
    let shown = || clip(&String::from_utf8_lossy(name));

    if flags & ENCRYPTED != 0 || method == AES {
        return Err(Refusal::Encrypted(shown()));
    }
    if !METHODS.contains(&method) {
        let name = shown();
        return Err(Refusal::Method { name, method });
    }
    let disk = short(34)?;
    let extra = Extra::read(extra, [unpacked, packed, begin], disk)?;
    let [unpacked, packed, begin] = extra.numbers;
    if method == 0 && packed != unpacked {
        return Err(Refusal::Damaged(
            "an entry that is not packed has two sizes",
        ));
    }
    let header = LOCAL + name.len() as u64;
    let end = begin
        .checked_add(packed)
        .and_then(|it| it.checked_add(header));
    let entry = Entry {
        name,
        unicode_name: extra.name,
        is_folder: kind(name, attributes).ok_or_else(|| Refusal::Special(shown()))?,
        unpacked,
        begin,
        end: end.ok_or(Refusal::Damaged("an entry ends beyond all bytes"))?,
    };
    Ok((entry, rest))
}

/// Whether it is a folder; nothing for what is neither that nor a file. The upper half of the attributes is a Unix
/// mode, or 0 where whoever packed it knows none.
fn kind(name: &[u8], attributes: u32) -> Option<bool> {
    let is_named_folder = name.ends_with(b"/");
    match (attributes >> 16) & 0o170_000 {
        0 => Some(is_named_folder),
        0o040_000 => Some(true),
        0o100_000 if !is_named_folder => Some(false),
        _ => None,
    }
}

/// What an entry's extra fields add to it.
struct Extra<'a> {
    numbers: [u64; 3],
    name: Option<&'a [u8]>,
}

impl<'a> Extra<'a> {
    /// Takes the numbers that have no room in the entry, those with all bits set, from the extra field, where they
    /// stand in this order.
    fn read(mut extra: &'a [u8], short: [u32; 3], disk: u16) -> Result<Self, Refusal> {
        let mut zip64 = None;
        let mut name = None;
        // Some pad the last field with a few zeros.
        while let (Some(id), Some(len)) = (u16_at(extra, 0), u16_at(extra, 2)) {
            let Some((field, rest)) = extra[4..].split_at_checked(len.into()) else {
                break;
            };
            let is_again = match id {
                ZIP64 => zip64.replace(field).is_some(),
                // A version and the checksum of the other name stand before it.
                UNICODE_PATH => name.replace(field.get(5..).unwrap_or_default()).is_some(),
                _ => false,
            };
            if is_again {
                return Err(Refusal::Ambiguous("an entry has one extra field twice"));
            }
            extra = rest;
        }
        let field = zip64.unwrap_or_default();
        let mut at = 0;
        let mut numbers = [0; 3];
        for (number, short) in numbers.iter_mut().zip(short) {
            *number = u64::from(short);
            if short == u32::MAX {
                *number =
                    u64_at(field, at).ok_or(Refusal::Damaged("an entry lacks a zip64 number"))?;
                at += 8;
            }
        }
        let is_here = match disk {
            u16::MAX => u32_at(field, at) == Some(0),
            disk => disk == 0,
        };
        if is_here {
            Ok(Self { numbers, name })
        } else {
            Err(Refusal::Split)
        }
    }
}
