//! What each function may do: the statements of its policy in template.yaml, one action and one place at a time; and what
//! the template itself makes it need, without any call in its code.

use std::collections::{BTreeMap, BTreeSet};

use super::yaml::Node;

/// An action on a place.
///
/// Places are written like this: `*`; `table MachinesTable`; `index MachinesTable/by_status`; `stream MachinesTable`;
/// `secret TokenKeys`; `key by s3` (the key, used through that service); `objects PackagesBucket`; `ec2 instance`, and so
/// on for other ARNs: service and type of resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    /// Such as `dynamodb:GetItem`.
    pub(super) action: String,
    /// Such as `table MachinesTable`.
    pub(super) place: String,
}

impl Right {
    pub(super) fn new(action: impl Into<String>, place: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            place: place.into(),
        }
    }
}

/// A function of the template.
#[derive(Debug, Clone, Default)]
pub(super) struct Policy {
    /// Its logical id.
    pub(super) logical_id: String,
    /// What its policy grants, and by which statements.
    pub(super) grants: BTreeMap<Right, String>,
    /// What it needs for what the template connects it with, and why.
    pub(super) wired: BTreeMap<Right, String>,
    /// The secrets that its environment names.
    pub(super) secrets: BTreeSet<String>,
}

/// The template.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// Functions by the folder of their code, such as `functions/pool`; a further binary of a crate by its file, such as
    /// `functions/packages/src/bin/sync.rs`.
    pub(super) functions: BTreeMap<String, Policy>,
    /// The names of each table's indexes.
    pub(super) indexes: BTreeMap<String, BTreeSet<String>>,
}

/// Between a crate's folder and the file of a further binary.
pub(super) const BINARIES: &str = "/src/bin/";

impl Template {
    /// Reads the template's text.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let root = Node::read(text)?;
        let resources = root.get("Resources").ok_or("no Resources")?;
        let mut functions = BTreeMap::new();
        for (logical_id, resource) in resources.entries() {
            if kind(resources, logical_id) != "AWS::Serverless::Function" {
                continue;
            }
            let folder = resource.at(&["Properties", "CodeUri"]);
            let folder = folder.and_then(Node::text).ok_or("no CodeUri")?;
            let policy = policy(resources, logical_id, resource)
                .map_err(|error| format!("{logical_id}: {error}"))?;
            let folder = folder.trim_end_matches('/');
            let binary = resource.at(&["Metadata", "BuildProperties", "Binary"]);
            let binary = binary
                .and_then(Node::text)
                .and_then(|it| it.strip_prefix("haulout-"));
            let key = match binary.filter(|binary| !folder.ends_with(&format!("/{binary}"))) {
                Some(binary) => format!("{folder}{BINARIES}{binary}.rs"),
                None => folder.to_owned(),
            };
            functions.insert(key, policy);
        }
        Ok(Self {
            functions,
            indexes: indexes(resources),
        })
    }
}

fn kind<'a>(resources: &'a Node, logical_id: &str) -> &'a str {
    let kind = resources.at(&[logical_id, "Type"]).and_then(Node::text);
    kind.unwrap_or_default()
}

fn indexes(resources: &Node) -> BTreeMap<String, BTreeSet<String>> {
    let tables = resources
        .entries()
        .iter()
        .filter(|(logical_id, _)| kind(resources, logical_id) == "AWS::DynamoDB::Table");
    tables
        .map(|(logical_id, table)| {
            let indexes = table.at(&["Properties", "GlobalSecondaryIndexes"]);
            let names = indexes.map(Node::elements).unwrap_or_default();
            let names = names
                .into_iter()
                .filter_map(|index| index.get("IndexName")?.text());
            (logical_id.clone(), names.map(str::to_owned).collect())
        })
        .collect()
}

fn policy(resources: &Node, logical_id: &str, function: &Node) -> Result<Policy, String> {
    let mut policy = Policy {
        logical_id: logical_id.to_owned(),
        ..Policy::default()
    };
    let documents = function.at(&["Properties", "Policies"]);
    for document in documents.map(Node::elements).unwrap_or_default() {
        let statements = document
            .get("Statement")
            .ok_or("a policy without statements: write it out in the template")?;
        for statement in statements.elements() {
            read_statement(resources, statement, &mut policy.grants)?;
        }
    }
    let variables = function.at(&["Properties", "Environment", "Variables"]);
    for (_, value) in variables.map(Node::entries).unwrap_or_default() {
        let named = value.short("GetAtt").or(value.short("Ref"));
        let named = named.map(|named| named.split('.').next().unwrap_or(named));
        let is_secret = |id: &&str| kind(resources, id) == "AWS::SecretsManager::Secret";
        policy
            .secrets
            .extend(named.filter(is_secret).map(str::to_owned));
    }
    wire(resources, function, &mut policy);
    Ok(policy)
}

fn read_statement(
    resources: &Node,
    statement: &Node,
    grants: &mut BTreeMap<Right, String>,
) -> Result<(), String> {
    let sid = statement.get("Sid").and_then(Node::text).unwrap_or("?");
    if statement.get("Effect").and_then(Node::text) != Some("Allow") {
        return Err(format!("{sid}: only Allow is understood here"));
    }
    let (Some(actions), Some(places)) = (statement.get("Action"), statement.get("Resource")) else {
        return Err(format!("{sid}: no Action or no Resource"));
    };
    let by = via(statement);
    for place in places.elements() {
        let place = read_place(resources, place, by.as_deref())
            .ok_or_else(|| format!("{sid}: what is meant by {place:?}? Teach iam/policy.rs"))?;
        for action in actions.elements() {
            let action = action.text().ok_or("an action that is no text")?;
            grants.insert(Right::new(action, &place), sid.to_owned());
        }
    }
    Ok(())
}

/// The service of the condition `kms:ViaService`.
fn via(statement: &Node) -> Option<String> {
    let by = statement.at(&["Condition", "StringEquals", "kms:ViaService"])?;
    let by = by.short("Sub").or(by.text())?;
    Some(by.split('.').next().unwrap_or(by).to_owned())
}

fn read_place(resources: &Node, place: &Node, by: Option<&str>) -> Option<String> {
    if let Some(text) = place.text() {
        return (text == "*").then(|| text.to_owned());
    }
    if let Some(logical_id) = place.short("Ref") {
        return own_place(resources, logical_id, "", by);
    }
    if let Some(attribute) = place.short("GetAtt") {
        let (logical_id, _) = attribute.split_once('.')?;
        return own_place(resources, logical_id, "", by);
    }
    let text = place.short("Sub")?;
    if let Some(rest) = text.strip_prefix("${") {
        let (attribute, below) = rest.split_once('}')?;
        let logical_id = attribute.strip_suffix(".Arn").unwrap_or(attribute);
        return own_place(resources, logical_id, below, by);
    }
    foreign_place(text)
}

/// A place in a resource of the template, or below it.
fn own_place(resources: &Node, logical_id: &str, below: &str, by: Option<&str>) -> Option<String> {
    let said = match (kind(resources, logical_id), below) {
        ("AWS::DynamoDB::Table", "") => "table",
        ("AWS::DynamoDB::Table", "/stream/*") => "stream",
        ("AWS::DynamoDB::Table", index) => {
            return Some(format!(
                "index {logical_id}/{}",
                index.strip_prefix("/index/")?
            ));
        }
        ("AWS::SecretsManager::Secret", "") => "secret",
        ("AWS::KMS::Key", "") => return Some(format!("key by {}", by.unwrap_or("anybody"))),
        ("AWS::S3::Bucket", "") => "bucket",
        ("AWS::S3::Bucket", _) => "objects",
        ("AWS::SNS::Topic", "") => "topic",
        ("AWS::SQS::Queue", "") => "queue",
        ("AWS::IAM::Role", "") => "role",
        ("AWS::Serverless::StateMachine", "") => "machine",
        // Made by SAM of AutoPublishAlias.
        ("", "") if logical_id.contains("StateMachineAlias") => "alias",
        // A parameter.
        ("", "") if logical_id.ends_with("RoleArn") => "role",
        _ => return None,
    };
    Some(format!("{said} {logical_id}"))
}

/// Service and type of resource of an ARN that is put together.
fn foreign_place(arn: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = arn;
    // Names of pseudo-parameters have colons.
    while let Some((before, after)) = rest.split_once("${") {
        plain.push_str(before);
        plain.push('x');
        rest = after.split_once('}')?.1;
    }
    plain.push_str(rest);
    let parts: Vec<&str> = plain.splitn(6, ':').collect();
    let ["arn", _, service, _, _, resource] = parts[..] else {
        return None;
    };
    if let Some(role) = resource.strip_prefix("role/aws-service-role/") {
        let of = role.split('/').next()?;
        return Some(format!("service-role {of}"));
    }
    let kind = resource.split(['/', ':']).next()?;
    Some(format!("{service} {kind}"))
}

/// What the template connects a function with: streams that it reads, queues for what it could not deal with. Lambda does
/// both with the function's role (AWS Lambda Developer Guide, "Process DynamoDB records with Lambda" and "Capturing
/// records of Lambda asynchronous invocations").
fn wire(resources: &Node, function: &Node, policy: &mut Policy) {
    let queue = function.at(&[
        "Properties",
        "EventInvokeConfig",
        "DestinationConfig",
        "OnFailure",
        "Destination",
    ]);
    dead_letters(queue, policy);
    for (mapping, resource) in resources.entries() {
        let is_its = resource.at(&["Properties", "FunctionName"]);
        let is_its = is_its.and_then(|it| it.short("Ref")) == Some(policy.logical_id.as_str());
        if kind(resources, mapping) != "AWS::Lambda::EventSourceMapping" || !is_its {
            continue;
        }
        let stream = resource.at(&["Properties", "EventSourceArn"]);
        let stream = stream.and_then(|it| it.short("GetAtt")?.strip_suffix(".StreamArn"));
        for action in [
            "DescribeStream",
            "GetRecords",
            "GetShardIterator",
            "ListStreams",
        ] {
            let place = format!("stream {}", stream.unwrap_or("?"));
            let right = Right::new(format!("dynamodb:{action}"), place);
            policy
                .wired
                .insert(right, format!("{mapping} reads a stream"));
        }
        let queue = [
            "Properties",
            "DestinationConfig",
            "OnFailure",
            "Destination",
        ];
        dead_letters(resource.at(&queue), policy);
    }
}

fn dead_letters(queue: Option<&Node>, policy: &mut Policy) {
    let queue = queue.and_then(|it| it.short("GetAtt")?.strip_suffix(".Arn"));
    if let Some(queue) = queue {
        let right = Right::new("sqs:SendMessage", format!("queue {queue}"));
        let why = "what could not be dealt with is sent there";
        policy.wired.insert(right, why.to_owned());
    }
}
