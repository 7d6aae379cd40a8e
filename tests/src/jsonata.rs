//! The few JSONata forms that the state machine uses: paths into `$states`, and their comparison with a string.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

/// An expression that has no value: Step Functions' error `States.QueryEvaluationError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the expression {0} has no value")]
pub struct Undefined(pub String);

/// What `$states` holds while an expression is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The state's input.
    pub input: &'a Value,
    /// The task's result, where there is one.
    pub result: Option<&'a Value>,
    /// What was caught, in a `Catch`.
    pub error_output: Option<&'a Value>,
    /// The execution.
    pub context: &'a Value,
}

#[derive(Debug, Clone, PartialEq)]
struct Reference {
    root: Root,
    fields: Vec<String>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Input,
    Result,
    ErrorOutput,
    Context,
}

impl Reference {
    fn parse(text: &str) -> Result<Self, String> {
        let unknown = || format!("the walker does not know the expression {text}");
        let mut words = text
            .strip_prefix("$states.")
            .ok_or_else(unknown)?
            .split('.');
        let root = match words.next() {
            Some("input") => Root::Input,
            Some("result") => Root::Result,
            Some("errorOutput") => Root::ErrorOutput,
            Some("context") => Root::Context,
            _ => return Err(unknown()),
        };
        let fields: Vec<String> = words.map(str::to_owned).collect();
        let plain = |word: &String| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if !fields.iter().all(plain) {
            return Err(unknown());
        }
        Ok(Self {
            root,
            fields,
            text: text.to_owned(),
        })
    }

    fn value<'a>(&self, scope: &Scope<'a>) -> Option<&'a Value> {
        let root = match self.root {
            Root::Input => Some(scope.input),
            Root::Result => scope.result,
            Root::ErrorOutput => scope.error_output,
            Root::Context => Some(scope.context),
        };
        self.fields
            .iter()
            .try_fold(root?, |value, field| value.get(field))
    }
}

/// The text between `{%` and `%}`, if it is an expression.
fn expression(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

/// A JSON value, some of whose strings are expressions.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Literal(Value),
    Reference(Reference),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn parse(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => expression(&text)
                .map(|expression| Reference::parse(expression).map(Self::Reference))
                .unwrap_or(Ok(Self::Literal(Value::String(text.clone())))),
            Value::Object(fields) => {
                let fields = fields
                    .into_iter()
                    .map(|(name, value)| Ok((name, Self::parse(value)?)));
                fields.collect::<Result<_, String>>().map(Self::Object)
            }
            Value::Array(_) => Err("the walker does not know arrays in templates".to_owned()),
            literal => Ok(Self::Literal(literal)),
        }
    }

    fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Undefined> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Reference(reference) => reference
                .value(scope)
                .cloned()
                .ok_or_else(|| Undefined(reference.text.clone())),
            Self::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, node)| Ok((name.clone(), node.evaluate(scope)?)));
                fields.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }
}

impl Template {
    /// The value, with the expressions' values in place.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Undefined> {
        self.0.evaluate(scope)
    }

    /// A field that is not an expression.
    pub fn literal(&self, field: &str) -> Option<&Value> {
        let Node::Object(fields) = &self.0 else {
            return None;
        };
        fields.iter().find_map(|(name, node)| match node {
            Node::Literal(value) if name == field => Some(value),
            _ => None,
        })
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Node::parse(value).map(Self).map_err(D::Error::custom)
    }
}

/// `path = 'word'`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    reference: Reference,
    word: String,
}

impl Condition {
    /// Whether it holds; a path that leads nowhere equals nothing.
    pub fn holds(&self, scope: &Scope<'_>) -> bool {
        self.reference.value(scope).and_then(Value::as_str) == Some(&self.word)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let unknown = || format!("the walker does not know the condition {text}");
        let (path, word) = expression(text)
            .and_then(|it| it.split_once(" = "))
            .ok_or_else(unknown)?;
        let word = word
            .strip_prefix('\'')
            .and_then(|word| word.strip_suffix('\''))
            .filter(|word| !word.contains(['\'', '\\']))
            .ok_or_else(unknown)?;
        Ok(Self {
            reference: Reference::parse(path)?,
            word: word.to_owned(),
        })
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}
