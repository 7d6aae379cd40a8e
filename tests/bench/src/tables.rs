//! The template's tables in the test world's database, without their streams: to number a record of a stream, the
//! database reads all records it ever wrote to it, which would be measured instead of what is to be.

use std::error::Error;

use haulout_aws::store::Tables;
use haulout_tests::{
    dynamo::Dynamo,
    template::{self, Key, TableSpec},
};
use serde_json::{Value, json};

const MACHINES: &str = "bench-machines";
const CONTROL: &str = "bench-control";
const PROJECTS: &str = "bench-projects";

/// Their names.
pub(crate) fn names() -> Tables {
    Tables {
        machines: MACHINES.to_owned(),
        control: CONTROL.to_owned(),
        projects: PROJECTS.to_owned(),
    }
}

/// Makes them.
pub(crate) fn create(dynamo: &Dynamo) -> Result<(), Box<dyn Error>> {
    for spec in template::tables()? {
        let name = match spec.logical_id.as_str() {
            "MachinesTable" => MACHINES,
            "ProjectsTable" => PROJECTS,
            _ => CONTROL,
        };
        let request = request(name, &spec).to_string();
        let (status, answer) = dynamo.call("CreateTable", request.as_bytes());
        if status != 200 {
            return Err(answer.into());
        }
    }
    Ok(())
}

fn request(name: &str, spec: &TableSpec) -> Value {
    let schema = |keys: &[Key]| -> Value {
        keys.iter()
            .map(|key| json!({"AttributeName": key.attribute, "KeyType": key.kind}))
            .collect()
    };
    let index_keys = spec.indexes.iter().flat_map(|index| &index.keys);
    let mut attributes: Vec<&String> = spec
        .keys
        .iter()
        .chain(index_keys)
        .map(|key| &key.attribute)
        .collect();
    attributes.sort_unstable();
    attributes.dedup();
    let defined = attributes.into_iter().map(|attribute| {
        let kind = if spec.numbers.contains(attribute) {
            "N"
        } else {
            "S"
        };
        json!({"AttributeName": attribute, "AttributeType": kind})
    });
    let mut request = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": schema(&spec.keys),
        "AttributeDefinitions": defined.collect::<Value>(),
    });
    if !spec.indexes.is_empty() {
        let indexes = spec.indexes.iter().map(|index| {
            json!({
                "IndexName": index.name,
                "KeySchema": schema(&index.keys),
                "Projection": {"ProjectionType": index.projection},
            })
        });
        request["GlobalSecondaryIndexes"] = indexes.collect();
    }
    request
}
