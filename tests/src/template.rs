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
    /// Its indexes.
    pub indexes: Vec<Index>,
    /// Attributes of keys that are numbers. All others are strings.
    pub numbers: Vec<String>,
    /// Its writes can be read from a stream.
    pub has_stream: bool,
    /// The attribute that says when an item may be deleted, where items are.
    pub ttl: Option<String>,
}

/// An index of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// The partition key, and the sort key if there is one.
    pub keys: Vec<Key>,
    /// What it holds: `ALL` or `KEYS_ONLY`.
    pub projection: String,
}

/// An attribute of a key.
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

/// The tables that machines need.
pub const OF_MACHINES: [&str; 3] = ["MachinesTable", "ControlTable", "ProjectsTable"];
/// The tables that users need.
pub const OF_USERS: [&str; 3] = ["UsersTable", "TokensTable", "AuditTable"];
/// The tables that packages need.
pub const OF_PACKAGES: [&str; 3] = ["PackagesTable", "UploadsTable", "DownloadsTable"];

/// The tables that machines need, as the template deploys them.
pub fn tables() -> Result<Vec<TableSpec>, TemplateError> {
    tables_named(&OF_MACHINES)
}

/// Tables of the template, by their logical ids.
pub fn tables_named(logical_ids: &[&str]) -> Result<Vec<TableSpec>, TemplateError> {
    let text = std::fs::read_to_string(root().join("template.yaml"))
        .map_err(|error| TemplateError(error.to_string()))?;
    let found = logical_ids
        .iter()
        .map(|logical_id| table(&text, logical_id));
    found.collect()
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
        read(&mut spec, line)?;
    }
    let complete = !spec.keys.is_empty()
        && spec
            .indexes
            .iter()
            .all(|index| !index.keys.is_empty() && !index.projection.is_empty());
    complete
        .then_some(spec)
        .ok_or_else(|| TemplateError(format!("{logical_id} is incomplete")))
}

fn read(spec: &mut TableSpec, line: &str) -> Result<(), TemplateError> {
    let unknown = |what: &str| TemplateError(format!("{}: {what}", spec.logical_id));
    if let Some(name) = value(line, "IndexName") {
        let name = name.to_owned();
        spec.indexes.push(Index {
            name,
            ..Index::default()
        });
    } else if let (Some(attribute), Some(kind)) =
        (value(line, "AttributeName"), value(line, "KeyType"))
    {
        let key = Key {
            attribute: attribute.to_owned(),
            kind: kind.to_owned(),
        };
        match spec.indexes.last_mut() {
            Some(index) => index.keys.push(key),
            None => spec.keys.push(key),
        }
    } else if let (Some(attribute), Some(kind)) =
        (value(line, "AttributeName"), value(line, "AttributeType"))
    {
        match kind {
            "S" => {}
            "N" => spec.numbers.push(attribute.to_owned()),
            _ => return Err(unknown("a key is neither a string nor a number")),
        }
    } else if line.contains("TimeToLiveSpecification") {
        spec.ttl = value(line, "AttributeName").map(str::to_owned);
    } else if let Some(view) = value(line, "StreamViewType") {
        if view != "NEW_AND_OLD_IMAGES" {
            return Err(unknown("its stream lacks images"));
        }
        spec.has_stream = true;
    } else if let Some(projection) = value(line, "ProjectionType") {
        match spec.indexes.last_mut() {
            Some(index) if matches!(projection, "ALL" | "KEYS_ONLY") => {
                projection.clone_into(&mut index.projection);
            }
            _ => return Err(unknown("a projection that is neither ALL nor KEYS_ONLY")),
        }
    }
    Ok(())
}

/// The word after `name:`.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!("{name}: "))?;
    rest.split([',', ' ', '}'])
        .next()
        .filter(|word| !word.is_empty())
}
