//! The state machine's definition (Amazon States Language), read strictly: a field, a state type or an expression that
//! the walker does not know is an error and not a guess. Source: states-language.net and the Step Functions developer
//! guide, "Transforming data with JSONata".

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use serde_json::Value;

use crate::jsonata::{Condition, Template};

/// Stands for the Lambda function in the definition, as the deployment substitutes it.
const FUNCTION_PLACEHOLDER: &str = "${ProvisionFunctionArn}";

/// A definition that cannot be walked.
#[derive(Debug, thiserror::Error)]
pub enum AslError {
    /// It could not be read.
    #[error("{0} could not be read")]
    Unreadable(String, #[source] std::io::Error),
    /// It is not JSON, or has something the walker does not know.
    #[error("the definition has something the walker does not know")]
    Unknown(#[from] serde_json::Error),
    /// It names a state that is not there.
    #[error("state {from} leads to {to}, which does not exist")]
    Dangling {
        /// Where from.
        from: String,
        /// Where to.
        to: String,
    },
    /// It has a placeholder that nothing is substituted for.
    #[error("something is left to substitute in the definition")]
    Placeholder,
}

/// A state machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Definition {
    #[serde(rename = "Comment", default)]
    _comment: String,
    #[serde(rename = "QueryLanguage")]
    _query_language: JsonataOnly,
    /// The first state.
    pub start_at: String,
    /// How long an execution may take, in seconds.
    pub timeout_seconds: u32,
    /// By name.
    pub states: BTreeMap<String, State>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum JsonataOnly {
    #[serde(rename = "JSONata")]
    Jsonata,
}

/// A state.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "Type")]
pub enum State {
    /// Invokes the Lambda function.
    Task(Box<Task>),
    /// Lets time pass.
    Wait(Wait),
    /// Goes on to one of several states.
    Choice(Choice),
    /// Does nothing.
    Pass(Pass),
    /// Ends with success.
    Succeed(Succeed),
    /// Ends with an error.
    Fail(Fail),
}

/// A state that invokes the Lambda function.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Task {
    #[serde(rename = "Comment", default)]
    _comment: String,
    /// The function's ARN.
    pub resource: String,
    /// What it is sent.
    pub arguments: Template,
    /// How long it may take, in seconds.
    pub timeout_seconds: u32,
    /// When to repeat it.
    #[serde(default)]
    pub retry: Vec<Retrier>,
    /// Where to go when it failed.
    #[serde(default)]
    pub catch: Vec<Catcher>,
    /// Where to go otherwise.
    pub next: String,
}

/// A state that lets time pass.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Wait {
    #[serde(rename = "Comment", default)]
    _comment: String,
    /// How long, in seconds.
    pub seconds: Template,
    /// Where to go then.
    pub next: String,
}

/// A state with several successors.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Choice {
    #[serde(rename = "Comment", default)]
    _comment: String,
    /// Tried in this order.
    pub choices: Vec<Branch>,
    /// Where to go when none applies.
    pub default: Option<String>,
}

/// One of a choice's successors.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Branch {
    /// When.
    pub condition: Condition,
    /// Where to go then.
    pub next: String,
}

/// A state that does nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Pass {
    #[serde(rename = "Comment", default)]
    _comment: String,
    /// What it hands on, if not its input.
    pub output: Option<Template>,
    /// Where to go, if it is not the last state.
    pub next: Option<String>,
    /// It is the last state.
    #[serde(default)]
    pub end: bool,
}

/// The end, with success.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Succeed {
    #[serde(rename = "Comment", default)]
    _comment: String,
}

/// The end, with an error.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Fail {
    #[serde(rename = "Comment", default)]
    _comment: String,
    /// The error's name.
    pub error: String,
    /// Its details.
    pub cause: String,
}

/// When to repeat a task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Retrier {
    /// For these errors.
    pub error_equals: Vec<String>,
    /// How often.
    pub max_attempts: u32,
    /// Seconds before the first repetition.
    pub interval_seconds: u32,
    /// Times this before each further one.
    pub backoff_rate: f64,
    /// At most so many seconds.
    pub max_delay_seconds: u32,
    #[serde(rename = "JitterStrategy", default)]
    _jitter: Jitter,
}

impl Retrier {
    /// Seconds before repetition number `repetition`, counted from 0. Jitter only shortens it: this is the longest.
    pub fn delay_seconds(&self, repetition: u32) -> u32 {
        let mut delay = f64::from(self.interval_seconds);
        for _ in 0..repetition {
            delay = (delay * self.backoff_rate).min(f64::from(self.max_delay_seconds));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and MaxDelaySeconds"
        )]
        let seconds = delay.min(f64::from(self.max_delay_seconds)).round() as u32;
        seconds
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Jitter {
    #[default]
    None,
    Full,
}

/// Where to go when a task failed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Catcher {
    /// For these errors.
    pub error_equals: Vec<String>,
    /// What it hands on.
    pub output: Template,
    /// Where to.
    pub next: String,
}

impl Definition {
    /// Reads a definition from its file, with the function's ARN in place.
    pub fn load(path: &Path, function_arn: &str) -> Result<Self, AslError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| AslError::Unreadable(path.display().to_string(), error))?;
        Self::parse(&text.replace(FUNCTION_PLACEHOLDER, function_arn))
    }

    /// Reads a definition.
    pub fn parse(text: &str) -> Result<Self, AslError> {
        if text.contains("${") {
            return Err(AslError::Placeholder);
        }
        let definition: Self = serde_json::from_str(text)?;
        definition.check_targets()?;
        Ok(definition)
    }

    fn check_targets(&self) -> Result<(), AslError> {
        let start = ("StartAt", self.start_at.as_str());
        let edges = self.states.iter().flat_map(|(name, state)| {
            state
                .successors()
                .into_iter()
                .map(|next| (name.as_str(), next))
        });
        for (from, to) in std::iter::once(start).chain(edges) {
            if !self.states.contains_key(to) {
                return Err(AslError::Dangling {
                    from: from.to_owned(),
                    to: to.to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl State {
    /// Where it may lead.
    pub fn successors(&self) -> Vec<&str> {
        match self {
            Self::Task(task) => {
                let caught = task.catch.iter().map(|catcher| catcher.next.as_str());
                caught.chain([task.next.as_str()]).collect()
            }
            Self::Wait(wait) => vec![&wait.next],
            Self::Choice(choice) => {
                let branches = choice.choices.iter().map(|branch| branch.next.as_str());
                branches.chain(choice.default.as_deref()).collect()
            }
            Self::Pass(pass) => pass.next.as_deref().into_iter().collect(),
            Self::Succeed(_) | Self::Fail(_) => Vec::new(),
        }
    }
}

impl Task {
    /// The provisioning step it asks for, where that is spelled out.
    pub fn step(&self) -> Option<&str> {
        self.arguments.literal("step").and_then(Value::as_str)
    }
}
