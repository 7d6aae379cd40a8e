//! The parameters of an EC2 Query request: a form body with dotted, numbered names.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::errors;
use crate::sim::answer::ApiError;

/// Parameters by name, e.g. `Filter.1.Value.2`. Sub-structures are again parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sim) struct Params {
    values: BTreeMap<String, String>,
}

impl Params {
    pub(in crate::sim) fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            values: values.into_iter().collect(),
        }
    }

    /// A form body's parameters; a body that is not a form is a client error.
    pub(in crate::sim) fn from_form(body: &[u8]) -> Result<Self, ApiError> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).map_err(|error| {
            ApiError::client(
                "MalformedQueryString",
                format!("The query string is malformed: {error}"),
            )
        })?;
        Ok(Self::new(pairs))
    }

    /// All names and values, in order.
    pub(in crate::sim) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(in crate::sim) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// An owned text, `None` when absent.
    pub(in crate::sim) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(Into::into)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| errors::missing(name))
    }

    /// A number or another parsed value.
    pub(super) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.get(name)
            .map(|value| {
                value
                    .parse()
                    .map_err(|_| errors::invalid_value(value, name))
            })
            .transpose()
    }

    /// The parameters below `prefix.`, without it.
    pub(in crate::sim) fn below(&self, prefix: &str) -> Self {
        let prefix = format!("{prefix}.");
        let below = self.values.iter().filter_map(|(name, value)| {
            name.strip_prefix(&prefix)
                .map(|rest| (rest.to_owned(), value.clone()))
        });
        Self::new(below)
    }

    /// A list of values: `name.1`, `name.2`, …, in the order of their numbers.
    pub(in crate::sim) fn list(&self, name: &str) -> Vec<String> {
        self.numbered(name)
            .into_values()
            .filter_map(|item| item.text(""))
            .collect()
    }

    /// A list of structures: `name.1.Key`, `name.1.Value`, `name.2.Key`, ….
    pub(in crate::sim) fn structures(&self, name: &str) -> Vec<Self> {
        self.numbered(name).into_values().collect()
    }

    /// What lies below each number of a list; a plain value has the empty name.
    fn numbered(&self, name: &str) -> BTreeMap<u32, Self> {
        let mut items: BTreeMap<u32, Self> = BTreeMap::new();
        for (rest, value) in self.below(name).values {
            let (number, field) = rest.split_once('.').unwrap_or((rest.as_str(), ""));
            if let Ok(number) = number.parse() {
                items
                    .entry(number)
                    .or_default()
                    .values
                    .insert(field.to_owned(), value);
            }
        }
        items
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_structures_follow_their_numbers() {
        let form = b"Filter.2.Name=b&Filter.10.Name=c&Filter.1.Name=a&Filter.1.Value.2=y&Filter.1.Value.1=x%26";
        let filters = Params::from_form(form).unwrap().structures("Filter");
        let names: Vec<_> = filters.iter().map(|f| f.get("Name").unwrap()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(filters[0].list("Value"), ["x&", "y"]);
    }

    #[test]
    fn a_wrong_number_names_its_parameter() {
        let error = Params::from_form(b"MaxResults=many")
            .unwrap()
            .parsed::<u32>("MaxResults")
            .unwrap_err();
        assert_eq!(error.code, "InvalidParameterValue");
        assert!(error.message.contains("MaxResults"), "{}", error.message);
    }
}
