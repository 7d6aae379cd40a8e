//! Tickets for packages: kept by their fingerprint, so that the table holds nothing a machine could be robbed with.

use haulout_domain::staging::{Grant, Ticket, TicketRefusal};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Store, StoreError,
    control::{EXPIRES_AT, holds},
    machines::Item,
    number, text,
};
use crate::error::AwsError;

const GRANT: &str = "grant";
/// One other writer at most changes a grant, once.
const TRIES: u32 = 2;

/// What came of redeeming a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// It is good for this.
    Good(Grant),
    /// It was good once.
    Refused(TicketRefusal),
    /// There is no such ticket, or not any more.
    Unknown,
}

impl Store {
    /// Makes a ticket that stands for this.
    pub async fn issue_ticket(&self, grant: &Grant) -> Result<Ticket, StoreError> {
        let mut random = [0; 32];
        let (first, second) = random.split_at_mut(16);
        first.copy_from_slice(Uuid::new_v4().as_bytes());
        second.copy_from_slice(Uuid::new_v4().as_bytes());
        let ticket = Ticket::of(random);
        let item = Item::from([(GRANT.to_owned(), serde_dynamo::to_attribute_value(grant)?)]);
        self.put_control(&pk(&ticket), item, Some(grant.expires_at))
            .await?;
        Ok(ticket)
    }

    /// Redeems a ticket with a word. With the same word it may be repeated, by whoever lost the answer.
    pub async fn redeem_ticket(
        &self,
        ticket: &Ticket,
        word: &Ticket,
        now: Timestamp,
    ) -> Result<Redeemed, StoreError> {
        for _ in 0..TRIES {
            let item = self.control_item(&pk(ticket)).await?;
            let kept = item
                .filter(|item| holds(item, now))
                .and_then(|mut item| item.remove(GRANT));
            let Some(before) = kept else {
                return Ok(Redeemed::Unknown);
            };
            let mut grant: Grant = serde_dynamo::from_attribute_value(before.clone())?;
            match grant.redeem(word, now) {
                Err(refusal) => return Ok(Redeemed::Refused(refusal)),
                Ok(false) => return Ok(Redeemed::Good(grant)),
                Ok(true) => {}
            }
            let written = self
                .client
                .put_item()
                .table_name(&self.control)
                .item("pk", text(pk(ticket)))
                .item(GRANT, serde_dynamo::to_attribute_value(&grant)?)
                .item(EXPIRES_AT, number(grant.expires_at.as_second()))
                .condition_expression("#grant = :before")
                .expression_attribute_names("#grant", GRANT)
                .expression_attribute_values(":before", before)
                .send()
                .await;
            match written.map_err(|error| AwsError::new("PutItem", error)) {
                Ok(_) => return Ok(Redeemed::Good(grant)),
                // Somebody else redeemed it meanwhile, or this very call did, whose answer was lost.
                Err(error) if error.is("ConditionalCheckFailedException") => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Redeemed::Refused(TicketRefusal::Used))
    }
}

fn pk(ticket: &Ticket) -> String {
    format!("ticket#{}", ticket.fingerprint())
}
