//! template.yaml as a tree, with CloudFormation's short forms (`!Ref`, `!Sub`, `!GetAtt`, `!If`) as tags.

use saphyr::{LoadableYamlNode, Scalar, Yaml};

/// A node of the template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A scalar, as it is written.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in order.
    Map(Vec<(String, Node)>),
    /// A short form: its name, and what it is applied to.
    Short(String, Box<Node>),
}

impl Node {
    /// Reads a template.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
        match documents.as_slice() {
            [document] => node(document),
            _ => Err("not one document".to_owned()),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else {
            return None;
        };
        let found = entries.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value)
    }

    /// The value that some keys lead to, one in the other.
    pub(super) fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// A scalar's text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What a short form of this name is applied to, if that is a scalar.
    pub(super) fn short(&self, name: &str) -> Option<&str> {
        match self {
            Self::Short(tag, of) if tag == name => of.text(),
            _ => None,
        }
    }

    /// A mapping's entries.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// A sequence's elements, or the one value that stands for a sequence of it. Of an `!If`, what is there when the
    /// condition holds; nothing for `AWS::NoValue`.
    pub(super) fn elements(&self) -> Vec<&Self> {
        match self {
            Self::List(elements) => elements.iter().flat_map(Self::elements).collect(),
            Self::Short(tag, of) if tag == "If" => match &**of {
                Self::List(parts) => parts.iter().skip(1).flat_map(Self::elements).collect(),
                _ => vec![self],
            },
            _ if self.short("Ref") == Some("AWS::NoValue") => Vec::new(),
            _ => vec![self],
        }
    }
}

fn node(yaml: &Yaml<'_>) -> Result<Node, String> {
    Ok(match yaml {
        Yaml::Value(scalar) => Node::Text(scalar_text(scalar)),
        Yaml::Representation(text, ..) => Node::Text(text.to_string()),
        Yaml::Sequence(elements) => {
            Node::List(elements.iter().map(node).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Vec::new();
            for (key, value) in entries {
                let Node::Text(key) = node(key)? else {
                    return Err("a key that is no text".to_owned());
                };
                map.push((key, node(value)?));
            }
            Node::Map(map)
        }
        Yaml::Tagged(tag, of) => Node::Short(tag.suffix.clone(), Box::new(node(of)?)),
        Yaml::Alias(_) | Yaml::BadValue => return Err(format!("not read here: {yaml:?}")),
    })
}

fn scalar_text(scalar: &Scalar<'_>) -> String {
    match scalar {
        Scalar::Null => String::new(),
        Scalar::Boolean(is) => is.to_string(),
        Scalar::Integer(number) => number.to_string(),
        Scalar::FloatingPoint(number) => number.to_string(),
        Scalar::String(text) => text.to_string(),
    }
}
