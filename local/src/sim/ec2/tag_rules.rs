//! EC2's rules for tags.

use super::errors;
use super::query::Params;
use crate::sim::answer::ApiError;
use crate::sim::instance::Tags;

/// Tags a resource may have, those of AWS itself not counted.
const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// Reads `Tag.N.Key` and `Tag.N.Value`.
pub(super) fn read(params: &Params) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in params.structures("Tag") {
        let key = tag
            .get("Key")
            .filter(|key| !key.is_empty())
            .ok_or_else(|| errors::missing("Tag.Key"))?;
        let value = tag.get("Value").unwrap_or_default();
        if key.starts_with("aws:") {
            return Err(errors::invalid(
                "Tag keys starting with 'aws:' are reserved for internal use",
            ));
        }
        if key.chars().count() > MAX_KEY || value.chars().count() > MAX_VALUE {
            return Err(errors::invalid(format!(
                "The tag '{}' is too long: a key has at most {MAX_KEY} characters, a value {MAX_VALUE}",
                key.chars().take(MAX_KEY).collect::<String>()
            )));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(errors::invalid(format!(
                "Duplicate tag key '{key}' specified."
            )));
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

/// Refuses more tags than a resource may have.
pub(super) fn check_count(tags: &Tags) -> Result<(), ApiError> {
    if tags.keys().filter(|key| !key.starts_with("aws:")).count() > MAX_TAGS {
        return Err(ApiError::client(
            "TagLimitExceeded",
            format!("A resource has at most {MAX_TAGS} tags."),
        ));
    }
    Ok(())
}
