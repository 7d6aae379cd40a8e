//! Filters of Describe actions: names known to the action, values with EC2's wildcards.

use super::errors;
use super::query::Params;
use crate::sim::answer::ApiError;
use crate::sim::instance::Tags;

/// EC2's limit on values of one filter.
const MAX_VALUES: usize = 200;

/// The filters of a request. A resource passes when each filter has a value that one of the resource's matches.
#[derive(Debug, Default)]
pub(super) struct Filters {
    filters: Vec<(String, Vec<String>)>,
}

impl Filters {
    /// Reads `Filter.N`; a name that is neither in `known` nor about tags (where the resource has tags) is refused.
    pub(super) fn read(params: &Params, known: &[&str], tagged: bool) -> Result<Self, ApiError> {
        let mut filters = Vec::new();
        for filter in params.structures("Filter") {
            let name = filter.required("Name")?.to_owned();
            let about_tags =
                tagged && (name == "tag-key" || name == "tag-value" || name.starts_with("tag:"));
            if !about_tags && !known.contains(&name.as_str()) {
                return Err(errors::invalid(format!("The filter '{name}' is invalid")));
            }
            let values = filter.list("Value");
            if values.is_empty() {
                return Err(errors::invalid(format!(
                    "The filter '{name}' needs at least one value"
                )));
            }
            if values.len() > MAX_VALUES {
                return Err(ApiError::client(
                    "FilterLimitExceeded",
                    format!("A filter takes at most {MAX_VALUES} values"),
                ));
            }
            filters.push((name, values));
        }
        Ok(Self { filters })
    }

    /// Whether a resource with these tags, whose values of a filter `values_of` tells, passes.
    pub(super) fn pass(&self, tags: &Tags, values_of: impl Fn(&str) -> Vec<String>) -> bool {
        self.filters.iter().all(|(name, wanted)| {
            let have = match name.as_str() {
                "tag-key" => tags.keys().cloned().collect(),
                "tag-value" => tags.values().cloned().collect(),
                other => match other.strip_prefix("tag:") {
                    Some(key) => tags.get(key).cloned().into_iter().collect(),
                    None => values_of(other),
                },
            };
            wanted
                .iter()
                .any(|pattern| have.iter().any(|value| matches(pattern, value)))
        })
    }
}

/// Whether `value` is what `pattern` says: `*` is any text, `?` any one character, `\` takes the next one literally.
fn matches(pattern: &str, value: &str) -> bool {
    let (pattern, value): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), value.chars().collect());
    let (mut p, mut v) = (0, 0);
    let special = |c: char| matches!(c, '*' | '?' | '\\');
    // Where to go on when a guess about the last `*` was wrong.
    let mut retry = None;
    loop {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, v + 1));
                p += 1;
                continue;
            }
            Some('?') if v < value.len() => {
                (p, v) = (p + 1, v + 1);
                continue;
            }
            Some('\\') if p + 1 < pattern.len() && value.get(v) == pattern.get(p + 1) => {
                (p, v) = (p + 2, v + 1);
                continue;
            }
            Some(c) if !special(*c) && value.get(v) == Some(c) => {
                (p, v) = (p + 1, v + 1);
                continue;
            }
            None if v == value.len() => return true,
            _ => {}
        }
        match retry {
            Some((after_star, from)) if from <= value.len() => {
                (p, v) = (after_star, from);
                retry = Some((after_star, from + 1));
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        let check = |pattern: &str, value: &str, expected: bool| {
            assert_eq!(matches(pattern, value), expected, "{pattern} on {value}");
        };
        check("running", "running", true);
        check("running", "runnin", false);
        check("run*", "running", true);
        check("*ing", "running", true);
        check("*n*n*", "running", true);
        check("r?nning", "running", true);
        check("?", "", false);
        check("*", "", true);
        check("", "", true);
        check("", "x", false);
        check("a\\*b", "a*b", true);
        check("a\\*b", "axb", false);
        check("a\\*b", "a\\xb", false);
        check("a\\?", "a?", true);
        check("*a*b", "aab", true);
        check("*a*b", "aabc", false);
        check("Running", "running", false);
        check(
            "al2023-ami-*-x86_64",
            "al2023-ami-2023.9-kernel-6.1-x86_64",
            true,
        );
    }
}
