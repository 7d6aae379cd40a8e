//! Handing an idle machine to a project: candidates are tried until one is its.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use haulout_api::{Caller, Problem};
use haulout_aws::{
    store::{Claimed, IDLE_SHARDS},
    telemetry::error_chain,
};
use haulout_domain::{
    ids::MachineId,
    machine::Machine,
    pool::{
        ProjectId,
        claim::{Claim, ProjectMachine, expiry},
    },
};
use jiff::Timestamp;

use crate::{ClaimMachine, Pool, refusal};

/// How many candidates one request tries. Who loses so many races is better off coming back.
const TRIES: u32 = 8;
/// How many candidates one query brings.
const BATCH: i32 = 10;

/// A project's machine, and whether it got it just now.
#[derive(Debug)]
pub(crate) struct HandedOut {
    pub(crate) machine: ProjectMachine,
    pub(crate) is_new: bool,
}

impl Pool {
    /// The machine a project has; an idle one becomes its own when it has none.
    pub(crate) async fn hand_out(
        &self,
        project: &ProjectId,
        caller: &Caller,
        asked: &ClaimMachine,
    ) -> Result<HandedOut, Problem> {
        let now = self.clock.now();
        if self.settings.group.is_some()
            && let Some(handed_out) = self.try_candidates(project, caller, asked, now).await?
        {
            return Ok(handed_out);
        }
        // A project that has a machine gets it, whether others are idle or not, and whether there is a pool or not.
        if let Some(had) = self.store.project(project).await.map_err(refusal::store)?
            && let Some(machine) = self.keep(had, caller, asked, now).await?
        {
            return Ok(self.had(machine));
        }
        if self.settings.group.is_none() {
            return Err(refusal::no_pool());
        }
        Err(self.none_idle(project, now).await)
    }

    /// Most claims are a project's first: the transaction itself finds out whether it is, so that nothing is read
    /// before it.
    async fn try_candidates(
        &self,
        project: &ProjectId,
        caller: &Caller,
        asked: &ClaimMachine,
        now: Timestamp,
    ) -> Result<Option<HandedOut>, Problem> {
        let claim = Claim {
            project: project.clone(),
            owner: caller.name.clone(),
            claimed_at: now,
            expires_at: expiry(asked.ttl_minutes, now),
            moves: asked.move_on_interruption.unwrap_or(false),
        };
        let mut tried = BTreeSet::new();
        for _ in 0..TRIES {
            let Some(candidate) = self.candidate(project, &tried, now).await? else {
                break;
            };
            let claimed = self.store.claim(&candidate, claim.clone()).await;
            match claimed.map_err(refusal::store)? {
                Claimed::New(machine) => return Ok(Some(self.handed_out(machine))),
                Claimed::Existing(had) => {
                    self.candidates.put_back(candidate);
                    if let Some(machine) = self.keep(had, caller, asked, now).await? {
                        return Ok(Some(self.had(machine)));
                    }
                }
                Claimed::Taken => {
                    self.candidates.forget_earlier(now);
                    tried.insert(candidate.id);
                }
                Claimed::Draining => break,
            }
        }
        Ok(None)
    }

    fn handed_out(&self, machine: ProjectMachine) -> HandedOut {
        tracing::info!(machine_id = %machine.machine_id, project_id = %machine.project_id, "claimed");
        self.count("claimed");
        HandedOut {
            machine,
            is_new: true,
        }
    }

    fn had(&self, machine: ProjectMachine) -> HandedOut {
        self.count("existing");
        HandedOut {
            machine,
            is_new: false,
        }
    }

    /// The machine a project has, with what the request changes of the claim; nothing when it was released meanwhile.
    /// Who may not change the claim is not given its machine either.
    async fn keep(
        &self,
        had: ProjectMachine,
        caller: &Caller,
        asked: &ClaimMachine,
        now: Timestamp,
    ) -> Result<Option<ProjectMachine>, Problem> {
        caller.may_change(&had.owner)?;
        let mut kept = Some(had);
        if let (Some(minutes), Some(machine)) = (asked.ttl_minutes, &kept) {
            let until = expiry(Some(minutes), now);
            let renewed = self.store.renew(machine, until, now).await;
            kept = renewed.map_err(refusal::store)?;
        }
        if let (Some(moves), Some(machine)) = (asked.move_on_interruption, &kept) {
            kept = self.set_moves(machine, moves, now).await?;
        }
        Ok(kept)
    }

    async fn set_moves(
        &self,
        held: &ProjectMachine,
        moves: bool,
        now: Timestamp,
    ) -> Result<Option<ProjectMachine>, Problem> {
        let change = |machine: &mut Machine| machine.set_moves(&held.project_id, moves, now);
        let changed = self.store.update(&held.machine_id, change).await;
        Ok(changed
            .map_err(refusal::store)?
            .and_then(|(machine, is_held)| machine.project_machine().filter(|_| is_held)))
    }

    /// An idle machine to try: a remembered one, or one of the index, whose shards projects begin at evenly.
    async fn candidate(
        &self,
        project: &ProjectId,
        tried: &BTreeSet<MachineId>,
        now: Timestamp,
    ) -> Result<Option<Machine>, Problem> {
        if let Some(machine) = self.candidates.take(tried, now) {
            return Ok(Some(machine));
        }
        let first = first_shard(project);
        for step in 0..IDLE_SHARDS {
            let shard = (first + step) % IDLE_SHARDS;
            let found = self.store.idle(shard, BATCH).await;
            let mut found = found.map_err(refusal::store)?;
            // The index is late: it shows for a while what was just taken.
            found.retain(|machine| !tried.contains(&machine.id));
            if let Some(machine) = found.pop() {
                self.candidates.remember(found, now);
                return Ok(Some(machine));
            }
        }
        Ok(None)
    }

    /// Why there is no machine; that one is wanted is written down, and wakes refresh.
    async fn none_idle(&self, project: &ProjectId, now: Timestamp) -> Problem {
        match self.store.drain().await {
            Err(error) => return refusal::store(error),
            Ok(Some(drain)) => {
                self.count("refused_by_drain");
                return refusal::draining(&drain);
            }
            Ok(None) => {}
        }
        if let Err(error) = self.store.wait_for_machine(project, now).await {
            tracing::error!(
                project_id = %project,
                error = error_chain(&error),
                "that a project waits could not be written down; the pool grows by its buffer alone"
            );
        }
        self.count("none_idle");
        refusal::none_idle()
    }
}

fn first_shard(project: &ProjectId) -> u32 {
    let mut hasher = DefaultHasher::new();
    project.hash(&mut hasher);
    u32::try_from(hasher.finish() % u64::from(IDLE_SHARDS)).unwrap_or_default()
}
