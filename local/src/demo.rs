//! The demo model: a tiny archive that is there from the start, so that the first machine has something to run.
//!
//! Its script fits no model; it writes a prediction of y = 2x + 1 every other second, for as long as its folder exists.

use std::io::{Cursor, Write};

use zip::{CompressionMethod, ZipWriter, result::ZipResult, write::SimpleFileOptions};

/// What runs on the machine. It needs nothing but a shell, and ends by itself when its folder is removed.
const SCRIPT: &str = r#"#!/usr/bin/env bash
# The demo model. It leaves in its folder:
#   pid              its process id
#   heartbeat        the time of its last sign of life, UTC
#   prediction.json  its latest prediction
cd "$(dirname "$0")" || exit 1
slope=$(sed -n 's/^slope=//p' weights.txt)
intercept=$(sed -n 's/^intercept=//p' weights.txt)
echo $$ >pid
echo "demo model: running as pid $$ in $(pwd)"
x=0
while [ -f weights.txt ]; do
    date -u +%Y-%m-%dT%H:%M:%SZ >heartbeat
    printf '{"x":%d,"prediction":%d,"at":"%s"}\n' "$x" "$((slope * x + intercept))" "$(cat heartbeat)" >prediction.new
    mv prediction.new prediction.json
    [ "$x" -gt 0 ] || echo "demo model: first prediction $(cat prediction.json)"
    x=$((x + 1))
    sleep 2
done
"#;

const WEIGHTS: &str = "slope=2\nintercept=1\n";

const README: &str = "The demo model of Haulout's local stack.

script.sh is started once the archive is unpacked. Look at prediction.json and heartbeat beside this file:
they change every two seconds while the model runs.
";

/// The demo model as a zip archive: the same bytes at every call, so that its blob id never changes.
///
/// # Panics
/// Never: it packs constants into memory.
#[expect(
    clippy::expect_used,
    reason = "writing these constants to memory cannot fail; the test below does it"
)]
pub fn archive() -> Vec<u8> {
    pack().expect("the demo model fits into a zip archive")
}

fn pack() -> ZipResult<Vec<u8>> {
    // Without a time given, entries carry the zip epoch.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_directory("model/", options.unix_permissions(0o755))?;
    for (name, text, mode) in [
        ("model/README.txt", README, 0o644),
        ("model/script.sh", SCRIPT, 0o755),
        ("model/weights.txt", WEIGHTS, 0o644),
    ] {
        zip.start_file(name, options.unix_permissions(mode))?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

/// A blob that is no archive, for showing what a failure looks like.
pub fn not_a_zip() -> Vec<u8> {
    b"This is a text, not a zip archive: a machine that is given it ends as failed, and says why.\n"
        .to_vec()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_archive_is_always_the_same_and_has_the_script() {
        assert_eq!(archive(), archive());
        let mut zip = zip::ZipArchive::new(Cursor::new(archive())).unwrap();
        let mut script = String::new();
        let mut entry = zip.by_name("model/script.sh").unwrap();
        assert_eq!(entry.unix_mode().unwrap() & 0o777, 0o755);
        entry.read_to_string(&mut script).unwrap();
        assert!(script.starts_with("#!"));
    }

    #[test]
    fn the_other_blob_is_no_archive() {
        assert!(zip::ZipArchive::new(Cursor::new(not_a_zip())).is_err());
    }
}
