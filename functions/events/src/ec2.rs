//! EC2's events. What counts is what EC2 says of the instance now; only `terminated`, which is final, is
//! believed as it is.

use haulout_aws::{orders::Trouble, telemetry::error_chain};
use haulout_domain::{
    ids::InstanceId,
    machine::{InstanceFacts, Machine, SpotStatus},
    status::{InstanceState, Status},
};

use crate::{Events, EventsError};

impl Events {
    /// An instance changed its state.
    pub(crate) async fn instance_changed(
        &self,
        instance: &InstanceId,
        state: InstanceState,
    ) -> Result<(), EventsError> {
        let Some(machine) = self.machine_of(instance).await? else {
            return Ok(());
        };
        let spot_status = self.spot_status(&machine).await;
        // What EC2 answers is as old as the question.
        let now = self.clock.now();
        let facts = if state == InstanceState::Terminated {
            self.terminated(&machine, instance).await
        } else {
            let described = self.compute.describe(instance).await;
            described.map_err(Trouble::from)?
        };
        let Some(facts) = facts else {
            tracing::info!(instance_id = %instance, "EC2 does not show the instance; left to the sweep");
            return Ok(());
        };
        let taken = self.take_in(&machine, instance, |machine| {
            machine.spot_status_seen(spot_status.clone());
            machine.instance_seen(&facts, now);
            vec![facts.clone()]
        });
        Box::pin(taken).await
    }

    /// EC2 takes a spot instance back.
    pub(crate) async fn interrupted(&self, instance: &InstanceId) -> Result<(), EventsError> {
        let Some(machine) = self.machine_of(instance).await? else {
            return Ok(());
        };
        let spot_status = self.spot_status(&machine).await;
        let now = self.clock.now();
        let taken = self.take_in(&machine, instance, |machine| {
            machine.spot_status_seen(spot_status.clone());
            machine.interrupted(now);
            machine.instance.iter().cloned().collect()
        });
        Box::pin(taken).await?;
        if machine.claim().is_some_and(|claim| claim.moves) {
            Box::pin(self.move_project(&machine.id)).await?;
        }
        Ok(())
    }

    /// The record of the instance's machine. Nothing for an instance of somebody else's, for one whose launch is
    /// not written down yet, and for one that the index does not show yet: the last two are seen by others.
    async fn machine_of(&self, instance: &InstanceId) -> Result<Option<Machine>, EventsError> {
        let found = self.store.find_by_instance(instance).await?;
        if found.is_none() {
            tracing::debug!(instance_id = %instance, "no machine's instance");
        }
        Ok(found)
    }

    /// How the machine's spot request stands; nothing where there is none, or EC2 does not tell.
    async fn spot_status(&self, machine: &Machine) -> Option<SpotStatus> {
        let request = machine.instance.as_ref()?.spot_request_id.as_ref()?;
        self.compute
            .spot_status(request)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(machine_id = %machine.id, error = error_chain(&error), "how the spot request stands is not known");
                None
            })
    }

    /// The last that is known of an instance that has ended. EC2 tells why for about an hour.
    async fn terminated(&self, machine: &Machine, instance: &InstanceId) -> Option<InstanceFacts> {
        let described = self
            .compute
            .describe(instance)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(instance_id = %instance, error = error_chain(&error), "why it ended is not known");
                None
            });
        let mut facts = described.or_else(|| machine.instance.clone())?;
        facts.state = InstanceState::Terminated;
        Some(facts)
    }

    /// Brings an observation into the record, and acts on what it comes to. `observe` answers what was seen.
    async fn take_in(
        &self,
        machine: &Machine,
        instance: &InstanceId,
        mut observe: impl FnMut(&mut Machine) -> Vec<InstanceFacts>,
    ) -> Result<(), EventsError> {
        let hands = self.hands();
        let changed = hands
            .change(&machine.id, |machine| {
                // The index that led here lags behind: the record may have come to another instance.
                if machine.instance_id.as_ref() != Some(instance) {
                    return None;
                }
                let cycle = machine.cycle;
                let seen = observe(machine);
                let comes_up = machine.status == Status::Starting && machine.cycle > cycle;
                Some((machine.orders(&seen), comes_up))
            })
            .await?;
        let Some((machine, Some((orders, comes_up)))) = changed else {
            return Ok(());
        };
        tracing::info!(machine_id = %machine.id, instance_id = %instance, status = %machine.status, "heard of the instance");
        hands.carry_out(&machine, &orders).await?;
        // Somebody started it outside: it is brought up like after a start here.
        if comes_up {
            hands.start_execution(&machine).await?;
        }
        Ok(())
    }
}
