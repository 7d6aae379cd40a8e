//! Walrus's reading of the `Range` header, which is narrower than HTTP's (RFC 9110, 14.2).

/// The first and the last byte of a range, if Walrus takes it for a blob of this size: one range, both ends given,
/// nothing beyond the blob.
pub(super) fn parse(header: &str, size: u64) -> Result<(u64, u64), String> {
    let ranges = header
        .trim()
        .strip_prefix("bytes=")
        .ok_or("invalid range header format")?;
    if ranges.contains(',') {
        return Err("only support one range per request".to_owned());
    }
    let (start, end) = ranges
        .split_once('-')
        .ok_or("invalid range header format")?;
    if start.is_empty() {
        return Err("must provide start index".to_owned());
    }
    if end.is_empty() {
        return Err("must provide end index".to_owned());
    }
    let number = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse::<u64>().ok())
            .flatten()
            .ok_or("invalid range header format")
    };
    let (start, end) = (number(start)?, number(end)?);
    if start > end {
        return Err("start index must be less than end index".to_owned());
    }
    if end >= size {
        return Err(format!("the range ends beyond the blob's {size} bytes"));
    }
    Ok((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_closed_ranges_inside_the_blob_are_taken() {
        assert_eq!(parse("bytes=0-0", 1), Ok((0, 0)));
        assert_eq!(parse("bytes=3-9", 10), Ok((3, 9)));
        for refused in [
            "bytes=0-10",
            "bytes=10-10",
            "bytes=3-",
            "bytes=-3",
            "bytes=5-3",
            "bytes=0-1,3-4",
            "bytes=+1-2",
            "bytes=a-b",
            "bytes=0-99999999999999999999",
            "items=0-1",
            "",
        ] {
            assert!(parse(refused, 10).is_err(), "{refused}");
        }
        assert!(parse("bytes=0-0", 0).is_err());
    }
}
