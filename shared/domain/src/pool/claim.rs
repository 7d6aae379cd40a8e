//! Whose a pool machine is. A claim is part of the machine's record, and the record under the project's id says the
//! same: both are written in one transaction.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Membership, ProjectId};
use crate::{
    ids::{InstanceId, MachineId},
    machine::Machine,
    status::Status,
};

/// A project's hold on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The project.
    pub project: ProjectId,
    /// Who claimed it.
    pub owner: String,
    /// When.
    pub claimed_at: Timestamp,
    /// When it is released by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When EC2 takes the machine back, the project is given another one.
    #[serde(default)]
    pub moves: bool,
}

/// A project's record: the machine it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectMachine {
    /// The project.
    pub project_id: ProjectId,
    /// Ours.
    pub machine_id: MachineId,
    /// EC2's.
    pub instance_id: InstanceId,
    /// Its public address, or its private one where it has no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Who claimed it.
    pub owner: String,
    /// When.
    pub claimed_at: Timestamp,
    /// When it is released by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// When a claim made or renewed now ends.
pub fn expiry(ttl_minutes: Option<u32>, now: Timestamp) -> Option<Timestamp> {
    let minutes = SignedDuration::from_mins(i64::from(ttl_minutes?));
    now.checked_add(minutes).ok()
}

impl Machine {
    /// Whose it is: of a machine of the pool, whoever claimed it, also when it is on its way out; nobody's while nobody
    /// has. It is claimed by one owner in all its life.
    pub fn holder(&self) -> Option<&str> {
        let Some(membership) = &self.pool else {
            return Some(&self.owner);
        };
        let claimed_by = membership.claim.as_ref().map(|claim| &claim.owner);
        claimed_by
            .or(membership.last_owner.as_ref())
            .map(String::as_str)
    }

    /// The claim on it.
    pub fn claim(&self) -> Option<&Claim> {
        self.pool.as_ref()?.claim.as_ref()
    }

    /// Hands it to a project, if it is idle. False, and nothing changes, otherwise.
    pub fn hand_out(&mut self, claim: Claim) -> bool {
        let now = claim.claimed_at;
        let detail = format!("claimed for project {}", claim.project);
        match &mut self.pool {
            Some(membership) if self.status == Status::Idle && membership.claim.is_none() => {
                membership.claim = Some(claim);
            }
            _ => return false,
        }
        self.enter(Status::Claimed, detail, now);
        true
    }

    /// The project's claim lasts until then, or without end. False when it has none on this machine any more.
    pub fn renew(
        &mut self,
        project: &ProjectId,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        let Some(claim) = held(&mut self.pool, project) else {
            return false;
        };
        if claim.expires_at != expires_at {
            claim.expires_at = expires_at;
            self.updated_at = now;
        }
        true
    }

    /// Whether the project is given another machine when EC2 takes this one back. False when it has no claim on this
    /// machine any more.
    pub fn set_moves(&mut self, project: &ProjectId, moves: bool, now: Timestamp) -> bool {
        let Some(claim) = held(&mut self.pool, project) else {
            return false;
        };
        if claim.moves != moves {
            claim.moves = moves;
            self.updated_at = now;
        }
        true
    }

    /// What the project's record says of it.
    pub fn project_machine(&self) -> Option<ProjectMachine> {
        let claim = self.claim()?;
        let facts = self.instance.as_ref();
        Some(ProjectMachine {
            project_id: claim.project.clone(),
            machine_id: self.id.clone(),
            instance_id: self.instance_id.clone()?,
            ip: facts.and_then(|it| it.public_ip.clone().or_else(|| it.private_ip.clone())),
            owner: claim.owner.clone(),
            claimed_at: claim.claimed_at,
            expires_at: claim.expires_at,
        })
    }
}

/// The project's claim on this machine.
fn held<'a>(pool: &'a mut Option<Membership>, project: &ProjectId) -> Option<&'a mut Claim> {
    let claim = pool.as_mut().and_then(|it| it.claim.as_mut());
    claim.filter(|claim| claim.project == *project)
}
