//! SNS in this process: it keeps what is published.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The topic of the test world.
pub const TOPIC_ARN: &str = "arn:aws:sns:us-east-1:123456789012:haulout-notifications";

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

/// SNS. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Sns {
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Sns {
    /// What was published so far.
    pub fn messages(&self) -> Vec<Message> {
        self.messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Answers a request: HTTP status and body.
    pub fn call(&self, action: &str, body: &[u8]) -> (u16, String) {
        let fields: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        if action != "Publish" || field("TopicArn") != TOPIC_ARN {
            let error = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>not part of the test world</Message></Error></ErrorResponse>";
            return (400, error.to_owned());
        }
        let mut attributes = BTreeMap::new();
        for number in 1.. {
            let entry = format!("MessageAttributes.entry.{number}");
            let Some(name) = fields.get(&format!("{entry}.Name")) else {
                break;
            };
            attributes.insert(name.clone(), field(&format!("{entry}.Value.StringValue")));
        }
        let message = Message {
            subject: field("Subject"),
            body: field("Message"),
            attributes,
        };
        self.messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(message);
        let answer = "<PublishResponse><PublishResult><MessageId>94f20ce6-13c5-43a0-9a9e-ca52d816e90b</MessageId></PublishResult></PublishResponse>";
        (200, answer.to_owned())
    }
}
