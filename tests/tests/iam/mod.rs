//! Each function's policy in template.yaml against the operations that its code calls: none is missing, none is granted
//! for nothing.
//!
//! The code is read, not run: [`source`] parses `shared/aws`, `shared/api` and the function, [`walk`] looks through each
//! body, [`graph`] follows the calls, [`table`] says what each operation needs, and [`policy`] what is granted. What cannot
//! be known that way is taken for more than it may be: every path through a method counts, also one that this function
//! never takes ([`EXCEPTIONS`]). Conditions are not compared, but for `kms:ViaService`; nor are paths of parameters and keys
//! of objects.

mod calls;
mod compare;
mod expr;
mod graph;
mod names;
mod policy;
mod reach;
mod scope;
#[expect(clippy::unwrap_used, reason = "tests fail by panicking")]
mod small;
mod source;
mod table;
mod tables;
mod types;
mod walk;
mod yaml;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use haulout_tests::template::root;

use self::{
    compare::{Exception, compare},
    graph::Reading,
    policy::{BINARIES, Right, Template},
    source::{Code, files},
};

/// Rights that a path through the code needs which its function never takes.
const EXCEPTIONS: &[Exception] = &[Exception {
    function: "functions/pool",
    action: "dynamodb:UpdateItem",
    place: "table ControlTable",
    why: "it changes machines of the pool alone, and quotas do not count them",
}];

/// Methods that only tests call.
const FOR_TESTS: &[&str] = &["haulout_aws::store::Store::list"];

/// template.yaml, and the code of all functions in it.
struct Deployed {
    template: Template,
    reading: Reading,
}

fn deployed() -> Result<Deployed, String> {
    let text = fs::read_to_string(root().join("template.yaml"));
    let template = Template::read(&text.map_err(|error| error.to_string())?)?;
    let mut code = Code::default();
    let own = template.functions.keys().map(|it| folder(it));
    let shared = ["shared/aws", "shared/api"].into_iter();
    for folder in shared.chain(own).collect::<BTreeSet<_>>() {
        code.add(&krate(folder), &files(&root().join(folder).join("src"))?)?;
    }
    let reading = Reading::of(code.complete())?;
    Ok(Deployed { template, reading })
}

/// The folder of a function's crate.
fn folder(function: &str) -> &str {
    function.split(BINARIES).next().unwrap_or(function)
}

/// The crate of a function, or for a further binary of one the name that its `main` has as a crate.
fn krate(function: &str) -> String {
    let folder = folder(function);
    let krate = format!("haulout_{}", folder.rsplit('/').next().unwrap_or(folder));
    let binary = function.split(BINARIES).nth(1);
    match binary.and_then(|file| file.strip_suffix(".rs")) {
        Some(binary) => format!("{krate}_main_{binary}"),
        None => krate,
    }
}

#[test]
fn policies_grant_what_the_code_calls_and_nothing_else() -> Result<(), String> {
    let Deployed { template, reading } = deployed()?;
    let mut found = Vec::new();
    for folder in template.functions.keys() {
        let krate = krate(folder);
        let needs = reading.graph(&krate).needs();
        found.extend(compare(&template, folder, &needs, EXCEPTIONS));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    Ok(())
}

/// A call that the reading of the code does not see would be a right that nobody misses here. So each method that calls
/// AWS must be seen to be called by somebody; one that is not is either dead, or called in a way to be understood first.
#[test]
fn every_method_that_calls_aws_is_seen_to_be_called() -> Result<(), String> {
    let Deployed { template, reading } = deployed()?;
    let krates: Vec<String> = template.functions.keys().map(|it| krate(it)).collect();
    let mut unseen = reading.unseen(&krates);
    unseen.retain(|method| !FOR_TESTS.contains(method));
    assert!(unseen.is_empty(), "nobody calls {unseen:#?}");
    Ok(())
}

/// Rights of which one of several is enough: the machines' role is the stack's own or the one of a parameter; of a state
/// machine's alias, nobody asks.
const SPARE: &[&str] = &["alias", "role"];

/// Each right of the template, taken away, is missed; and one more is found.
#[test]
fn each_right_that_is_taken_away_is_missed() -> Result<(), String> {
    let Deployed { template, reading } = deployed()?;
    for (folder, policy) in &template.functions {
        let krate = krate(folder);
        let needs = reading.graph(&krate).needs();
        let told = |grants: &BTreeMap<Right, String>| {
            let mut changed = template.clone();
            if let Some(policy) = changed.functions.get_mut(folder) {
                policy.grants.clone_from(grants);
            }
            compare(&changed, folder, &needs, EXCEPTIONS).join("\n")
        };
        for right in policy.grants.keys() {
            let mut fewer = policy.grants.clone();
            fewer.remove(right);
            let missed = told(&fewer).contains(&format!("{folder} lacks {} on", right.action));
            let is_spare = SPARE.iter().any(|place| right.place.starts_with(place));
            assert!(missed || is_spare, "{folder} does not miss {right:?}");
        }
        let mut more = policy.grants.clone();
        let scan = Right::new("dynamodb:Scan", "table MachinesTable");
        more.insert(scan, "More".to_owned());
        assert!(told(&more).contains("has dynamodb:Scan on table MachinesTable (statement More)"));
    }
    Ok(())
}
