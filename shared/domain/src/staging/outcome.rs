//! What a staging command's output means.

use crate::blob::BlobId;

use super::failure::{StagingCode, StagingFailure};

/// The longest message kept of what the machine says, in characters.
const MAX_MESSAGE: usize = 1000;

/// What the script begins its last line with.
const MARK: &str = "haulout: ";

/// The model's script at the end of staging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptState {
    /// It runs.
    Running,
    /// It has already ended, with success.
    Ended,
}

/// A staging command that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagingReport {
    /// How the model's script was found.
    pub script: ScriptState,
    /// The script's process id on the machine; it leads its own session and process group.
    pub pid: Option<u32>,
    /// The blob's size in bytes.
    pub size_bytes: Option<u64>,
    /// How long the command took, in seconds.
    pub seconds: Option<u64>,
    /// The blob's id, where the aggregator said it (a blob may have been asked for by its object id).
    pub blob_id: Option<BlobId>,
}

/// Reads the end of a staging command from SSM's `ResponseCode`, `StandardOutputContent` and `StandardErrorContent`.
///
/// It succeeded only if the script ended with 0 *and* said so in its last line. Everything else is a failure: the one
/// that the script named, or [`StagingCode::CommandUnclear`].
pub fn outcome(
    response_code: Option<i32>,
    stdout: &str,
    stderr: &str,
) -> Result<StagingReport, StagingFailure> {
    let said = stdout
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(MARK));
    if let Some(failure) = said.and_then(failure) {
        return Err(failure);
    }
    if response_code == Some(0)
        && let Some(report) = said.and_then(report)
    {
        return Ok(report);
    }
    let status = response_code.map_or_else(
        || "without an exit status".to_owned(),
        |code| format!("with exit status {code}"),
    );
    let last = [stderr, stdout]
        .into_iter()
        .find_map(|text| text.lines().rev().find(|line| !line.trim().is_empty()));
    let last = last.map_or_else(
        || "it printed nothing".to_owned(),
        |line| format!("its last line: {}", line.trim()),
    );
    Err(StagingFailure {
        code: StagingCode::CommandUnclear,
        message: one_line(&format!(
            "the staging command ended {status} and did not say how it went; {last}"
        )),
    })
}

/// `failed <code>: <message>`
fn failure(said: &str) -> Option<StagingFailure> {
    let (code, message) = said.strip_prefix("failed ")?.split_once(": ")?;
    Some(StagingFailure {
        code: code.parse().ok()?,
        message: one_line(message),
    })
}

/// `ready script=running|ended pid=N size_bytes=N seconds=N [blob_id=…]`
fn report(said: &str) -> Option<StagingReport> {
    let fields = said.strip_prefix("ready ")?;
    let field = |name: &str| {
        fields
            .split(' ')
            .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    };
    Some(StagingReport {
        script: match field("script")? {
            "running" => ScriptState::Running,
            "ended" => ScriptState::Ended,
            _ => return None,
        },
        pid: field("pid").and_then(|text| text.parse().ok()),
        size_bytes: field("size_bytes").and_then(|text| text.parse().ok()),
        seconds: field("seconds").and_then(|text| text.parse().ok()),
        blob_id: field("blob_id").and_then(|text| text.parse().ok()),
    })
}

/// What a machine says is shown to users: no control characters, bounded.
fn one_line(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_MESSAGE)
        .collect();
    // Cut at a byte, the machine's text may end in half a character.
    line.trim_end_matches(['\u{fffd}', ' '])
        .trim_start()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const READY: &str = "staging…\n  ...\n\nhaulout: ready script=running pid=4711 size_bytes=120 seconds=4 blob_id=E7_nNXvFU_3qZVu3OH1yycRG7LZlyn1-UxEDCDDqGGU\n";

    #[track_caller]
    fn fails(code: Option<i32>, stdout: &str, stderr: &str, expect: StagingCode, says: &str) {
        let failure = outcome(code, stdout, stderr).unwrap_err();
        assert_eq!(failure.code, expect, "{failure}");
        assert!(failure.message.contains(says), "{failure}");
    }

    #[test]
    fn ready_needs_both_the_line_and_the_status() {
        let report = outcome(Some(0), READY, "").unwrap();
        assert_eq!(report.script, ScriptState::Running);
        assert_eq!(report.pid, Some(4711));
        assert_eq!(report.size_bytes, Some(120));
        assert_eq!(report.seconds, Some(4));
        assert!(report.blob_id.is_some());
        let unclear = StagingCode::CommandUnclear;
        fails(Some(137), READY, "", unclear, "exit status 137");
        fails(None, READY, "", unclear, "without an exit status");
        fails(Some(0), "hello", "", unclear, "its last line: hello");
        fails(Some(0), "", "", unclear, "printed nothing");
        fails(Some(0), "haulout: ready", "", unclear, "did not say");
        fails(Some(127), "", "sh: 1: nope\n\n", unclear, "sh: 1: nope");
    }

    #[test]
    fn the_last_line_of_the_script_counts() {
        let text =
            "haulout: ready script=running pid=1\nhaulout: failed not_a_zip: it begins with 'x'\n";
        fails(
            Some(1),
            text,
            "",
            StagingCode::NotAZip,
            "it begins with 'x'",
        );
        // A failure that the script named stays one, whatever the status.
        fails(Some(0), text, "", StagingCode::NotAZip, "it begins");
        fails(
            Some(1),
            "haulout: failed something_else: x",
            "",
            StagingCode::CommandUnclear,
            "something_else",
        );
    }

    #[test]
    fn what_the_machine_says_is_cleaned() {
        let text = format!(
            "haulout: failed script_failed: \u{1b}[31m{}\u{fffd}\n",
            "é".repeat(3000)
        );
        let failure = outcome(Some(1), &text, "").unwrap_err();
        assert!(failure.message.chars().count() <= MAX_MESSAGE);
        assert!(!failure.message.contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn no_output_without_the_mark_is_ready(code: Option<i32>, stdout in "\\PC*", stderr in "\\PC*") {
            prop_assume!(!stdout.contains(MARK));
            let failure = outcome(code, &stdout, &stderr).unwrap_err();
            prop_assert!(failure.message.chars().count() <= MAX_MESSAGE);
        }
    }
}
