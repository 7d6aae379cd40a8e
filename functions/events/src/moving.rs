//! A project whose machine EC2 takes back is given another one, where its claim asks for that.

use haulout_aws::store::IDLE_SHARDS;
use haulout_domain::ids::MachineId;

use crate::{Events, EventsError};

/// How many idle machines are read of a shard.
const CANDIDATES: i32 = 5;

impl Events {
    /// Moves the project of a machine that is being taken back, if its claim asks for that. Without an idle machine it
    /// stays until EC2 ends it: the project then has none, and claims anew.
    pub(crate) async fn move_project(&self, machine: &MachineId) -> Result<(), EventsError> {
        for shard in 0..IDLE_SHARDS {
            for candidate in self.store.idle(shard, CANDIDATES).await? {
                let Some(from) = self.store.get(machine).await? else {
                    return Ok(());
                };
                let Some(claim) = from.claim().filter(|claim| claim.moves) else {
                    return Ok(());
                };
                let now = self.clock.now();
                if self.store.move_claim(&from, &candidate, now).await? {
                    tracing::info!(
                        project_id = %claim.project,
                        from = %from.id,
                        to = %candidate.id,
                        "moved to another machine"
                    );
                    return Ok(());
                }
            }
        }
        tracing::warn!(machine_id = %machine, "no machine is idle to move the project to");
        Ok(())
    }
}
