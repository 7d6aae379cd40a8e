//! The records' stream: what a write is worth telling goes to the topic. At least once, in order of writing.

use haulout_aws::{error::AwsError, telemetry::error_chain};
use haulout_domain::notice;

use crate::{Answer, BatchItemFailure, Events, StreamRecord};

impl Events {
    /// Tells people what the writes mean to them. Where a notice cannot be sent, the batch is broken off; what
    /// cannot be read would be no better the next time, and is left out.
    pub(crate) async fn written(&self, records: &[StreamRecord]) -> Answer {
        for record in records {
            let Err(error) = self.tell(record).await else {
                continue;
            };
            let sequence_number = record.sequence_number().unwrap_or_default();
            tracing::error!(
                sequence_number,
                error = error_chain(&error),
                "a notice could not be sent"
            );
            return Answer {
                batch_item_failures: vec![BatchItemFailure {
                    item_identifier: sequence_number.to_owned(),
                }],
            };
        }
        Answer::default()
    }

    async fn tell(&self, record: &StreamRecord) -> Result<(), AwsError> {
        let (before, after) = match record.read() {
            Ok(Some(machines)) => machines,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::error!(
                    sequence_number = record.sequence_number(),
                    error = error_chain(&error),
                    "a record of the stream cannot be read; nobody is told of it"
                );
                self.metrics.count("UnreadableStreamRecords", &[]);
                return Ok(());
            }
        };
        for notice in notice::notices(before.as_ref(), &after) {
            self.notifier.publish(&notice).await?;
            tracing::info!(machine_id = %after.id, event = notice.kind.as_str(), "told");
        }
        Ok(())
    }
}
