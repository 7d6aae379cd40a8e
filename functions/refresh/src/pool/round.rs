//! One round: the group is read first, then EC2, then the records; each machine is compared with what was seen.

use std::collections::{BTreeMap, HashMap};

use haulout_aws::{
    orders::{Hands, Trouble},
    remote::MOST_ASKED,
    store::Page,
    telemetry::error_chain,
};
use haulout_domain::{
    ids::{InstanceId, MachineId},
    machine::{InstanceFacts, Machine},
    pool::{
        Group, Lifecycle, Member,
        capacity::Counts,
        failures::{Failures, end_of_staging},
        life::{PoolOrder, Sight},
    },
    status::{InstanceState, Status},
};
use jiff::Timestamp;

use super::{Errand, Pool, PoolError};
use crate::{Refresh, act::count};

/// The statuses of the pool's machines, in the order in which they are entered: one that goes on while they are read
/// may be seen twice, and is then counted where it was seen last.
const STATUSES: [Status; 6] = [
    Status::Warming,
    Status::WaitingForSsm,
    Status::FetchingBlob,
    Status::Idle,
    Status::Claimed,
    Status::Draining,
];
/// How many records of new machines are made at once.
const NEW_AT_ONCE: usize = 250;

/// A round under way.
pub(super) struct Round<'a> {
    pub(super) refresh: &'a Refresh,
    pub(super) pool: &'a Pool,
    pub(super) hands: Hands,
    pub(super) errand: &'a mut Errand,
    /// When the group was read, or a moment before.
    pub(super) seen_at: Timestamp,
    pub(super) is_draining: bool,
    /// The group as it was read; its members are in `members`.
    pub(super) group: Group,
    pub(super) members: HashMap<InstanceId, Member>,
    pub(super) instances: HashMap<InstanceId, InstanceFacts>,
    /// The machines' statuses, closed ones included.
    pub(super) statuses: HashMap<InstanceId, Status>,
    /// Idle machines, oldest first.
    pub(super) idle: BTreeMap<MachineId, InstanceId>,
    /// Machines on which staging has ended, well or badly.
    pub(super) staged: BTreeMap<MachineId, Machine>,
    /// Failures of staging in a row.
    pub(super) failures: Option<Failures>,
    /// One that failed was given up for another one, in this round.
    pub(super) is_trying: bool,
    /// To be ended in the group, and whether that lowers what it aims at.
    pub(super) to_end: BTreeMap<InstanceId, bool>,
    /// In use, and not protected from scale-in.
    pub(super) unprotected: Vec<InstanceId>,
    /// Their agents are to be asked for.
    asking: Vec<Machine>,
    /// Systems Manager answers no more in this round.
    is_mute: bool,
    failed: u32,
    reason: String,
}

impl<'a> Round<'a> {
    /// Goes round once.
    pub(super) async fn go(
        refresh: &'a Refresh,
        pool: &'a Pool,
        errand: &'a mut Errand,
    ) -> Result<(), PoolError> {
        let seen_at = refresh.clock.now();
        let Some(mut group) = pool.fleet.group(&pool.group).await? else {
            // No machine is taken for lost: the name may be mistyped.
            tracing::warn!(
                group = pool.group,
                "there is no Auto Scaling group of this name: create it, or set AutoScalingGroupName to the one that there is"
            );
            return Ok(());
        };
        let members = std::mem::take(&mut group.members).into_iter();
        let mut round = Self {
            refresh,
            pool,
            hands: refresh.hands(),
            errand,
            seen_at,
            is_draining: false,
            members: members.map(|it| (it.instance.clone(), it)).collect(),
            group,
            instances: HashMap::new(),
            statuses: HashMap::new(),
            idle: BTreeMap::new(),
            staged: BTreeMap::new(),
            failures: None,
            is_trying: false,
            to_end: BTreeMap::new(),
            unprotected: Vec::new(),
            asking: Vec::new(),
            is_mute: false,
            failed: 0,
            reason: String::new(),
        };
        round.all().await?;
        match round.failed {
            0 => Ok(()),
            failed => Err(PoolError::Partly {
                failed,
                reason: round.reason,
            }),
        }
    }

    async fn all(&mut self) -> Result<(), PoolError> {
        self.list().await?;
        self.is_draining = self.refresh.store.drain().await?.is_some();
        for status in STATUSES {
            self.read(status).await?;
        }
        self.discover().await?;
        self.ask().await;
        self.errand.done.found = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let surplus_since = Box::pin(self.act()).await?;
        Box::pin(self.keep_up(surplus_since)).await
    }

    async fn list(&mut self) -> Result<(), PoolError> {
        let mut listing = self.refresh.compute.listing_of_group(&self.pool.group);
        while let Some(page) = listing.next().await {
            let facts = page?.into_iter().map(|listed| listed.facts);
            self.instances
                .extend(facts.map(|facts| (facts.id.clone(), facts)));
        }
        Ok(())
    }

    async fn read(&mut self, status: Status) -> Result<(), PoolError> {
        let mut after: Option<MachineId> = None;
        loop {
            let store = &self.refresh.store;
            let Page { machines, next } = store
                .pool_page(status, after.as_ref(), self.seen_at)
                .await?;
            for machine in machines.iter().filter(|it| it.closed_at.is_none()) {
                self.look_at(machine, None).await;
            }
            if self.asking.len() >= MOST_ASKED {
                self.ask().await;
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Makes records of instances that have none.
    async fn discover(&mut self) -> Result<(), PoolError> {
        let is_new = |member: &&Member| {
            let is_there = matches!(member.lifecycle, Lifecycle::Pending | Lifecycle::InService);
            is_there && !self.statuses.contains_key(&member.instance)
        };
        let found: Vec<InstanceFacts> = self
            .members
            .values()
            .filter(is_new)
            .filter_map(|member| self.instances.get(&member.instance))
            .filter(|facts| !facts.state.is_down())
            .cloned()
            .collect();
        for found in found.chunks(NEW_AT_ONCE) {
            let Pool {
                group,
                settings,
                deadlines,
                ..
            } = self.pool;
            let machine = |facts: &InstanceFacts| {
                let staging = settings.staging.clone();
                Machine::discovered(group, facts.clone(), staging, *deadlines, self.seen_at)
            };
            let machines: Vec<Machine> = found.iter().map(machine).collect();
            let new = self.refresh.store.discover(&machines).await?;
            self.errand.done.new += new;
            tracing::info!(new, "found new machines in the group");
            for machine in &machines {
                self.look_at(machine, None).await;
            }
            self.ask().await;
        }
        Ok(())
    }

    /// Asks for the agents of all machines that are otherwise warm, many in a call.
    async fn ask(&mut self) {
        let machines = std::mem::take(&mut self.asking);
        for together in machines.chunks(MOST_ASKED) {
            let ids: Vec<InstanceId> = together
                .iter()
                .filter_map(|machine| machine.instance_id.clone())
                .collect();
            if self.is_mute || self.is_late() {
                self.errand.done.put_off += count(&ids);
                continue;
            }
            match self.pool.remote.online(&ids).await {
                Ok(online) => {
                    for (machine, id) in together.iter().zip(&ids) {
                        self.look_at(machine, Some(online.contains(id))).await;
                    }
                }
                Err(error) => {
                    self.is_mute = true;
                    self.errand.done.put_off += count(&ids);
                    self.cannot("the agents", &Trouble::from(error));
                }
            }
        }
    }

    /// Trouble with one machine must not keep the round from the others.
    async fn look_at(&mut self, machine: &Machine, agent_online: Option<bool>) {
        if let Err(trouble) = Box::pin(self.observe(machine, agent_online)).await {
            self.cannot(&machine.id, &trouble);
        }
    }

    async fn observe(
        &mut self,
        machine: &Machine,
        agent_online: Option<bool>,
    ) -> Result<(), Trouble> {
        let Some(instance) = &machine.instance_id else {
            return Ok(());
        };
        self.statuses.insert(instance.clone(), machine.status);
        let sight = Sight {
            member: self.members.get(instance),
            facts: self.instances.get(instance),
            agent_online,
        };
        let (is_draining, now) = (self.is_draining, self.seen_at);
        // Most machines need nothing: that is decided on what the index shows, without reading each record again.
        let mut preview = machine.clone();
        let mut order = decide(&mut preview, &sight, is_draining, now);
        if preview != *machine {
            if self.is_late() {
                self.errand.done.put_off += 1;
                return Ok(());
            }
            let change = |machine: &mut Machine| decide(machine, &sight, is_draining, now);
            let Some((after, decided)) = self.hands.change(&machine.id, change).await? else {
                return Ok(());
            };
            (preview, order) = (after, decided);
        }
        Box::pin(self.take(preview, instance.clone(), order)).await
    }

    async fn take(
        &mut self,
        machine: Machine,
        instance: InstanceId,
        order: PoolOrder,
    ) -> Result<(), Trouble> {
        self.statuses.insert(instance.clone(), machine.status);
        if machine.status == Status::Idle {
            self.idle.insert(machine.id.clone(), instance.clone());
        } else {
            self.idle.remove(&machine.id);
        }
        let is_unprotected =
            |member: &Member| member.lifecycle == Lifecycle::InService && !member.is_protected;
        if machine.status == Status::Claimed
            && self.members.get(&instance).is_some_and(is_unprotected)
        {
            self.unprotected.push(instance.clone());
        }
        if machine.staging.is_some() && end_of_staging(&machine).is_some() {
            self.staged.insert(machine.id.clone(), machine.clone());
        }
        match order {
            PoolOrder::Nothing => {}
            PoolOrder::AskAgent => self.asking.push(machine),
            PoolOrder::Stage => self.hands.start_execution(&machine).await?,
            PoolOrder::End { lowers_desired } => {
                self.to_end.insert(instance, lowers_desired);
            }
        }
        Ok(())
    }

    /// Instances that the group holds on to although EC2 has ended them: with ReplaceUnhealthy suspended, nobody else
    /// replaces them. Those that have an open record are ended by way of that.
    pub(super) fn dead_members(&self) -> Vec<InstanceId> {
        let is_closed = |instance: &InstanceId| {
            let status = self.statuses.get(instance);
            status.is_none_or(|status| *status == Status::Terminated)
        };
        let is_dead = |member: &&Member| match self.instances.get(&member.instance) {
            Some(facts) => facts.state == InstanceState::Terminated,
            None => !member.healthy,
        };
        let mut dead: Vec<InstanceId> = self
            .members
            .values()
            .filter(|member| member.lifecycle == Lifecycle::InService)
            .filter(is_dead)
            .filter(|member| is_closed(&member.instance))
            .map(|member| member.instance.clone())
            .collect();
        dead.sort();
        dead
    }

    /// Machines by where they are.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for status in self.statuses.values() {
            counts.add(*status);
        }
        counts
    }

    pub(super) fn is_late(&self) -> bool {
        self.errand.is_late(self.refresh.clock.now())
    }

    /// Something could not be done: what may pass is left to the next pass, and no trouble.
    pub(super) fn cannot(&mut self, of: impl std::fmt::Display, trouble: &Trouble) {
        let reason = error_chain(trouble);
        if trouble.is_transient() {
            self.errand.done.put_off += 1;
            tracing::warn!(of = %of, error = reason, "left to the next pass");
        } else {
            tracing::error!(of = %of, error = reason, "could not look after the pool");
            self.failed += 1;
            self.reason = reason;
        }
    }
}

fn decide(
    machine: &mut Machine,
    sight: &Sight<'_>,
    is_draining: bool,
    now: Timestamp,
) -> PoolOrder {
    if is_draining {
        machine.release("the deployment is drained", now);
    }
    machine.observe_in_pool(sight, now)
}
