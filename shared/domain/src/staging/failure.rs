//! What can go wrong while staging: stable codes, and for each what the user can do.

use std::str::FromStr;

/// Declares the codes with the hint each carries.
macro_rules! staging_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $hint:literal;)*) => {
        /// A stable, machine-readable reason for a failed staging command.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum StagingCode {
            $($(#[$doc])* $variant,)*
        }

        impl StagingCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as the script prints it and as callers see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What the user can do about it.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)* }
            }
        }

        impl FromStr for StagingCode {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text {
                    $($code => Ok(Self::$variant),)*
                    _ => Err(()),
                }
            }
        }
    };
}

staging_codes! {
    /// Every aggregator answered 404.
    BlobNotFound = "blob_not_found",
        "Check the blob id and the network (a testnet blob is not on mainnet, and testnet is wiped now and then); upload the blob again if its storage has expired.";
    /// An aggregator answered 451.
    BlobBlocked = "blob_blocked",
        "The aggregator's operator has blocked this blob; use another blob, or another aggregator if you may.";
    /// No aggregator gave the blob within all retries.
    BlobUnavailable = "blob_unavailable",
        "Try again in a few minutes, or configure more aggregators; the message says what each of them answered.";
    /// The registry took the machine's ticket for nothing.
    TicketRefused = "ticket_refused",
        "Create the machine again: a ticket is good once, for as long as the staging command may run; the message says why this one was not.";
    /// The registry could not be asked.
    PackageUnavailable = "package_unavailable",
        "Check that the machine reaches the API over HTTPS (its subnet and security group), then create it again; the message says what was tried.";
    /// The blob has no bytes.
    BlobEmpty = "blob_empty",
        "Upload the archive again; this blob has no content.";
    /// The blob's size is not the one given.
    SizeMismatch = "size_mismatch",
        "Check size_bytes against the file you uploaded, and that the blob id is that of this file.";
    /// The blob's SHA-256 is not the one given.
    ChecksumMismatch = "checksum_mismatch",
        "Check sha256 against the file you uploaded (sha256sum FILE), and that the blob id is that of this file; a blob id is not a SHA-256.";
    /// Too little room for the archive and what it unpacks to.
    DiskFull = "disk_full",
        "Give the machine a larger volume (storage_gb): about 2.2 times the archive's size, or the unpacked size where that is more.";
    /// The blob is something else.
    NotAZip = "not_a_zip",
        "Upload a zip archive with a folder model/ at its top and model/script.sh in it.";
    /// The archive is damaged.
    ArchiveCorrupt = "archive_corrupt",
        "Test the archive (unzip -t FILE), pack it again and upload it again.";
    /// An entry could reach beyond the folder, or is none of file, folder and link.
    ArchiveUnsafe = "archive_unsafe",
        "Pack the archive again with relative paths only, without links that leave model/, special files or repeated names.";
    /// Encrypted, or packed by a method that is not known.
    ArchiveUnsupported = "archive_unsupported",
        "Pack the archive again without a password and with the ordinary method (deflate).";
    /// More entries or bytes than are unpacked.
    ArchiveTooLarge = "archive_too_large",
        "Pack less: at most 100,000 entries, and unpacked at most 20 times the archive's size (4 GiB are always allowed).";
    /// The unpacking program died.
    UnpackFailed = "unpack_failed",
        "Choose an instance type with more memory if the machine ran out of it; the message and the staging log say more.";
    /// No `model/script.sh`.
    ScriptMissing = "script_missing",
        "Pack the archive so that it holds model/script.sh: zip -r model.zip model";
    /// The model's script ended at once with an error.
    ScriptFailed = "script_failed",
        "Run model/script.sh on such a machine yourself; the message ends with its last lines, and model.log has all of them.";
    /// A program that staging needs is missing and could not be installed.
    ToolMissing = "tool_missing",
        "Use an AMI with curl and python3 (or unzip), or let the machine reach its package repositories.";
    /// The stage directory cannot be used.
    StageUnusable = "stage_unusable",
        "Check that the machine's root volume is writable; the staging command works in /var/lib/haulout and /tmp.";
    /// The script stopped itself shortly before the command's time limit.
    CommandTimeout = "command_timeout",
        "Pass a larger command_timeout_seconds, or make the blob smaller.";
    /// A signal ended the script.
    StagingInterrupted = "staging_interrupted",
        "The command was cancelled, or the machine shut down while it ran; create the machine again.";
    /// The command ended without saying how it went.
    CommandUnclear = "command_unclear",
        "The staging script did not run to its end; look at the machine's output and at the SSM command in the AWS console.";
}

/// A staging command that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StagingFailure {
    /// Why, machine-readable.
    pub code: StagingCode,
    /// What happened: one line of bounded length.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_hint_and_reads_back() {
        for code in StagingCode::ALL {
            assert!(code.hint().len() > 20, "{code:?}");
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
    }

    #[test]
    fn every_code_of_the_script_is_known() {
        let parts = super::super::PARTS.concat() + super::super::UNPACK_PY;
        let mut found = 0;
        for word in parts.split(|c: char| !(c.is_ascii_lowercase() || c == '_')) {
            found += usize::from(word.parse::<StagingCode>().is_ok());
        }
        assert!(found >= StagingCode::ALL.len(), "{found}");
        for line in parts.lines() {
            for call in ["fail ", "refuse ", "refuse(\""] {
                let Some((_, rest)) = line.split_once(call) else {
                    continue;
                };
                let code = rest.split([' ', '"']).next().unwrap_or_default();
                let is_code =
                    code.contains('_') && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                assert!(!is_code || code.parse::<StagingCode>().is_ok(), "{line}");
            }
        }
    }
}
