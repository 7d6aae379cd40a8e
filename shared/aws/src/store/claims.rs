//! Claims: which project has which machine. The claim is in the machine's record, and the `projects` table says the
//! same under the project's id; both are written in one transaction, so that a machine has at most one project and a
//! project at most one machine, whoever asks at the same time.

use aws_sdk_dynamodb::types::{ConditionCheck, Delete, TransactWriteItem};
use haulout_domain::{
    ids::MachineId,
    machine::Machine,
    pool::{
        ProjectId,
        claim::{Claim, ProjectMachine},
    },
};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Store, StoreError,
    drain::DRAIN,
    machines::{Item, UNCHANGED, WRITE, item},
    number, text,
    transaction::{Outcome, put},
};
use crate::error::AwsError;

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The machine is the project's now.
    New(ProjectMachine),
    /// The project had one already: this.
    Existing(ProjectMachine),
    /// The machine is not to be had any more; another may be.
    Taken,
    /// The deployment is drained, and hands out no machine.
    Draining,
}

impl Store {
    /// Hands a machine to a project: if the machine is idle and unchanged, the project has none, and no drain is on.
    pub async fn claim(&self, candidate: &Machine, claim: Claim) -> Result<Claimed, StoreError> {
        let project = claim.project.clone();
        let mut after = candidate.clone();
        if !after.hand_out(claim) {
            return Ok(Claimed::Taken);
        }
        let Some(row) = after.project_machine() else {
            return Ok(Claimed::Taken);
        };
        after.version = candidate.version + 1;
        let write = Uuid::now_v7().to_string();
        let mut record = item(&after)?;
        record.insert(WRITE.to_owned(), text(&write));
        let version = [(":version", number(candidate.version))];
        let parts = [
            put(&self.machines, record, UNCHANGED, version)?,
            put(
                &self.projects,
                serde_dynamo::to_item(&row)?,
                "attribute_not_exists(machine_id)",
                [],
            )?,
            self.no_drain()?,
        ];
        let refused = match self.write_all(&parts, &write).await? {
            Outcome::Done => return Ok(Claimed::New(row)),
            Outcome::Refused(conditions, _) => conditions,
            Outcome::Met(_) => Vec::new(),
        };
        if refused == [true, false, false] {
            return Ok(Claimed::Taken);
        }
        // A claim of one's own comes first: another request of the same project may just have made it.
        if let Some(row) = self.project(&project).await? {
            return Ok(Claimed::Existing(row));
        }
        Ok(match refused[..] {
            [_, _, true] => Claimed::Draining,
            _ => Claimed::Taken,
        })
    }

    /// Gives the project of a machine another one instead, in one transaction: if both are unchanged and the other one
    /// is idle. False when they are not.
    pub async fn move_claim(
        &self,
        from: &Machine,
        candidate: &Machine,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(claim) = from.claim().cloned() else {
            return Ok(false);
        };
        let (mut left, mut taken) = (from.clone(), candidate.clone());
        let claim = Claim {
            claimed_at: now,
            ..claim
        };
        if !left.moved_away(&candidate.id, now) || !taken.hand_out(claim) {
            return Ok(false);
        }
        let Some(row) = taken.project_machine() else {
            return Ok(false);
        };
        let write = Uuid::now_v7().to_string();
        let replaced = |before: &Machine, after: &mut Machine| {
            after.version = before.version + 1;
            let mut record = item(after)?;
            record.insert(WRITE.to_owned(), text(&write));
            let version = [(":version", number(before.version))];
            Ok::<_, StoreError>(put(&self.machines, record, UNCHANGED, version)?)
        };
        let parts = [
            replaced(from, &mut left)?,
            replaced(candidate, &mut taken)?,
            put(
                &self.projects,
                serde_dynamo::to_item(&row)?,
                "machine_id = :machine",
                [(":machine", text(from.id.as_str()))],
            )?,
        ];
        let outcome = self.write_all(&parts, &write).await?;
        Ok(matches!(outcome, Outcome::Done))
    }

    fn no_drain(&self) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.control)
            .key("pk", text(DRAIN))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|_| AwsError::incomplete("TransactWriteItems", "a required field"))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// The machine a project has (a strongly consistent read).
    pub async fn project(&self, id: &ProjectId) -> Result<Option<ProjectMachine>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.projects)
            .key("project_id", text(id.as_str()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::new("GetItem", error))?;
        let row: Option<Item> = answer.item.filter(|row| row.contains_key("machine_id"));
        Ok(row.map(serde_dynamo::from_item).transpose()?)
    }

    /// Lets a project's claim last until then; nothing when it is over. A machine is claimed once: a later claim of the
    /// same project, by whomever, is on another one.
    pub async fn renew(
        &self,
        held: &ProjectMachine,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<ProjectMachine>, StoreError> {
        let renewed = self
            .update(&held.machine_id, |machine| {
                machine.renew(&held.project_id, expires_at, now)
            })
            .await?;
        Ok(renewed.and_then(|(machine, held)| machine.project_machine().filter(|_| held)))
    }

    /// Ends a project's claim, this one: its machine drains. Nothing when it is over.
    pub async fn release(
        &self,
        held: &ProjectMachine,
        now: Timestamp,
    ) -> Result<Option<Machine>, StoreError> {
        let id = &held.project_id;
        let released = self
            .update(&held.machine_id, |machine| {
                let is_its = machine.claim().is_some_and(|claim| claim.project == *id);
                is_its && machine.release(&format!("released by project {id}"), now)
            })
            .await?;
        if let Some((machine, true)) = released {
            return Ok(Some(machine));
        }
        // The machine's record, which decides, knows nothing of this project: the row is a leftover.
        self.forget_project(id, &held.machine_id).await?;
        Ok(None)
    }

    async fn forget_project(&self, id: &ProjectId, machine: &MachineId) -> Result<(), StoreError> {
        tracing::warn!(project_id = %id, machine_id = %machine, "a project's row names a machine that is not its");
        let answer = self
            .client
            .delete_item()
            .table_name(&self.projects)
            .key("project_id", text(id.as_str()))
            .condition_expression("machine_id = :machine")
            .expression_attribute_values(":machine", text(machine.as_str()))
            .send()
            .await
            .map_err(|error| AwsError::new("DeleteItem", error));
        match answer {
            Err(error) if !error.is("ConditionalCheckFailedException") => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// What a change of a machine's record does to its project's row.
    pub(super) fn change_project(
        &self,
        before: &Machine,
        after: &Machine,
    ) -> Result<Option<TransactWriteItem>, StoreError> {
        let machine = [(":machine", text(after.id.as_str()))];
        let (then, now) = (before.project_machine(), after.project_machine());
        match (then, now) {
            (then, now) if then == now => Ok(None),
            (_, Some(row)) => {
                let condition = "attribute_not_exists(machine_id) OR machine_id = :machine";
                let row = serde_dynamo::to_item(&row)?;
                Ok(Some(put(&self.projects, row, condition, machine)?))
            }
            (Some(row), None) => {
                let [(name, value)] = machine;
                let delete = Delete::builder()
                    .table_name(&self.projects)
                    .key("project_id", text(row.project_id.as_str()))
                    .condition_expression("machine_id = :machine")
                    .expression_attribute_values(name, value)
                    .build()
                    .map_err(|_| AwsError::incomplete("TransactWriteItems", "a required field"))?;
                Ok(Some(TransactWriteItem::builder().delete(delete).build()))
            }
            (None, None) => Ok(None),
        }
    }
}
