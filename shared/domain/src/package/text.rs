//! What the typed texts of this module have in common.

/// Bounds what an error message repeats of a caller's input, and keeps it on one line.
pub(super) fn clip(text: &str) -> String {
    text.chars()
        .take(80)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Display and serde's conversions, for a type around a `String`.
macro_rules! text_form {
    ($($kind:ty, $error:ty);*) => {$(
        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $kind {
            type Error = $error;
            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }
        impl From<$kind> for String {
            fn from(it: $kind) -> Self {
                it.0
            }
        }
    )*};
}
pub(super) use text_form;
