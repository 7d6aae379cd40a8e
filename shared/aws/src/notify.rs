//! SNS: tells people what happened to their machines.

use aws_config::SdkConfig;
use aws_sdk_sns::{Client, types::MessageAttributeValue};
use haulout_domain::notice::Notice;

use crate::error::AwsError;

/// The topic for notifications.
#[derive(Debug, Clone)]
pub struct Notifier {
    client: Client,
    topic_arn: Option<String>,
}

impl Notifier {
    /// A notifier to this topic; without one, nobody is told anything.
    pub fn new(config: &SdkConfig, topic_arn: Option<String>) -> Self {
        Self {
            client: Client::new(config),
            topic_arn,
        }
    }

    /// Publishes a notice (SNS Publish). Repeated, it arrives again.
    pub async fn publish(&self, notice: &Notice) -> Result<(), AwsError> {
        let Some(topic) = &self.topic_arn else {
            return Ok(());
        };
        let mut message = self
            .client
            .publish()
            .topic_arn(topic)
            .subject(&notice.subject)
            .message(&notice.body);
        for (name, value) in &notice.attributes {
            // SNS refuses a message with an attribute that is empty.
            if !value.is_empty() {
                message = message.message_attributes(*name, string(value)?);
            }
        }
        message
            .send()
            .await
            .map_err(|error| AwsError::new("Publish", error))?;
        Ok(())
    }
}

fn string(value: &str) -> Result<MessageAttributeValue, AwsError> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .map_err(|_| AwsError::incomplete("Publish", "a required field"))
}
