//! The tables as template.yaml declares them, so that tests run on what is deployed. It reads the few lines it needs
//! by their form; a template written in another way is an error that says so.

use std::path::{Path, PathBuf};

/// A table of the template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableSpec {
    /// Its logical id.
    pub logical_id: String,
    /// The partition key, and the sort key if there is one.
    pub keys: Vec<Key>,
    /// Its indexes, by name.
    pub indexes: Vec<(String, Vec<Key>)>,
    /// The attribute that says when an item may be deleted.
    pub ttl: String,
}

/// An attribute of a key. All are strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The attribute.
    pub attribute: String,
    /// `HASH` or `RANGE`.
    pub kind: String,
}

/// The template is not written as this reader expects.
#[derive(Debug, thiserror::Error)]
#[error("template.yaml: {0}; adapt the reader of tables in the tests")]
pub struct TemplateError(String);

/// The repository's root.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The tables of the deployed template.
pub fn tables() -> Result<Vec<TableSpec>, TemplateError> {
    let text = std::fs::read_to_string(root().join("template.yaml"))
        .map_err(|error| TemplateError(error.to_string()))?;
    let found = ["MachinesTable", "ControlTable"].map(|logical_id| table(&text, logical_id));
    found.into_iter().collect()
}

fn table(text: &str, logical_id: &str) -> Result<TableSpec, TemplateError> {
    let mut spec = TableSpec {
        logical_id: logical_id.to_owned(),
        ..TableSpec::default()
    };
    let heading = format!("  {logical_id}:");
    let lines = text
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    for line in lines {
        if let Some(index) = value(line, "IndexName") {
            spec.indexes.push((index.to_owned(), Vec::new()));
        } else if let (Some(attribute), Some(kind)) =
            (value(line, "AttributeName"), value(line, "KeyType"))
        {
            let key = Key {
                attribute: attribute.to_owned(),
                kind: kind.to_owned(),
            };
            match spec.indexes.last_mut() {
                Some((_, keys)) => keys.push(key),
                None => spec.keys.push(key),
            }
        } else if let Some(kind) = value(line, "AttributeType") {
            if kind != "S" {
                return Err(TemplateError(format!(
                    "a key of {logical_id} is not a string"
                )));
            }
        } else if line.contains("TimeToLiveSpecification") {
            value(line, "AttributeName")
                .unwrap_or_default()
                .clone_into(&mut spec.ttl);
        } else if let Some(projection) = value(line, "ProjectionType")
            && projection != "ALL"
        {
            return Err(TemplateError(format!(
                "an index of {logical_id} does not project everything"
            )));
        }
    }
    let complete = !spec.keys.is_empty()
        && !spec.ttl.is_empty()
        && spec.indexes.iter().all(|(_, keys)| !keys.is_empty());
    complete
        .then_some(spec)
        .ok_or_else(|| TemplateError(format!("{logical_id} is incomplete")))
}

/// The word after `name:`.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{name}: "))?;
    rest.split([',', ' ', '}'])
        .next()
        .filter(|word| !word.is_empty())
}
