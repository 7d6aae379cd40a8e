//! Paths of entries: none reaches beyond the folder it is unpacked to.

use super::Refusal;
use crate::package::text::clip;

/// The most bytes of a path, and of each of its steps, as staging takes them.
const MAX_PATH: usize = 3000;
const MAX_STEP: usize = 255;

/// The path without what means nothing in it, such as `./`. Looked at as bytes: what matters is ASCII in every encoding
/// that zip files have.
pub(super) fn clean(name: &[u8]) -> Result<Vec<u8>, Refusal> {
    let refuse = |why| {
        let name = clip(&String::from_utf8_lossy(name));
        Err(Refusal::Path { name, why })
    };
    if name.is_empty() {
        return refuse("without a name");
    }
    if name.iter().any(|byte| *byte < 0x20 || *byte == 0x7f) {
        return refuse("with a control character in its name");
    }
    if name.contains(&b'\\') {
        return refuse("with a backslash in its path");
    }
    if name.starts_with(b"/") {
        return refuse("with an absolute path");
    }
    if matches!(name, [letter, b':', ..] if letter.is_ascii_alphabetic()) {
        return refuse("with a drive in its path");
    }
    let mut path = Vec::with_capacity(name.len());
    for step in name.split(|byte| *byte == b'/') {
        match step {
            b"" | b"." => {}
            b".." => return refuse("with a path that leaves its folder"),
            step if step.len() > MAX_STEP => return refuse("with too long a name"),
            step => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(step);
            }
        }
    }
    if name.len() > MAX_PATH {
        return refuse("with too long a path");
    }
    Ok(path)
}
