//! How much a machine unpacks of an archive. The staging script has the same numbers; the registry keeps larger archives,
//! for whoever downloads them.

/// So many bytes are unpacked of any archive.
pub const ALWAYS_UNPACKED: u64 = 4 << 30;

/// And so many times its own size, where that is more.
pub const MOST_RATIO: u64 = 20;

/// The most bytes that a machine unpacks of an archive of that many bytes.
pub const fn most_unpacked(size_bytes: u64) -> u64 {
    let by_ratio = size_bytes.saturating_mul(MOST_RATIO);
    if by_ratio > ALWAYS_UNPACKED {
        by_ratio
    } else {
        ALWAYS_UNPACKED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_the_same_limits() {
        let script = super::super::PARTS.concat();
        for line in [
            format!("MAX_BYTES={ALWAYS_UNPACKED}\n"),
            format!("MAX_RATIO={MOST_RATIO}\n"),
            format!("MAX_ENTRIES={}\n", crate::package::archive::MAX_ENTRIES),
        ] {
            assert!(script.contains(&line), "{line}");
        }
    }

    #[test]
    fn small_archives_may_unpack_to_much() {
        assert_eq!(most_unpacked(0), ALWAYS_UNPACKED);
        assert_eq!(most_unpacked(ALWAYS_UNPACKED / 20), ALWAYS_UNPACKED);
        assert_eq!(most_unpacked(1 << 30), 20 << 30);
        assert_eq!(most_unpacked(u64::MAX), u64::MAX);
    }
}
