//! Ending instances in their group, each once: the group shows what is ending already, and what it shows was read
//! under the lease.

use haulout_aws::{error::AwsError, fleet::Ended, orders::Trouble};
use haulout_domain::{aws_code::Meaning, ids::InstanceId};

use super::round::Round;

/// The most instances that are ended in a round: each is a call of its own.
const MOST_ENDED: u32 = 100;

/// What the ends of a round come to.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// By how much they lowered what the group aims at.
    pub(super) lowered: u32,
    /// By how much those will that are left to the next pass.
    pub(super) owed: u32,
    /// Calls made.
    tried: u32,
    /// Auto Scaling wants to be left in peace.
    pub(super) is_throttled: bool,
}

/// What came of one of them.
enum Outcome {
    /// It ends, or may do so: the answer was lost.
    Ends,
    /// It ends, and another one comes.
    IsReplaced,
    /// It is not in the group.
    IsGone,
    /// It does not.
    Stays,
}

impl Round<'_> {
    /// Ends an instance in the group; false when that is left to the next pass.
    pub(super) async fn end(
        &mut self,
        instance: &InstanceId,
        lowers_desired: bool,
        ends: &mut Ends,
    ) -> bool {
        let lowers = u32::from(lowers_desired);
        if self.errand.asked.contains(instance) {
            // What the group shows of it is older than that.
            ends.lowered += lowers;
            return true;
        }
        if ends.is_throttled || ends.tried >= MOST_ENDED || self.is_late() {
            self.errand.done.put_off += 1;
            ends.owed += lowers;
            return false;
        }
        ends.tried += 1;
        match self.ask_for_end(instance, lowers_desired, ends).await {
            Outcome::Ends => {
                ends.lowered += lowers;
                self.errand.asked.insert(instance.clone());
                true
            }
            Outcome::IsReplaced => {
                self.errand.asked.insert(instance.clone());
                true
            }
            Outcome::IsGone => true,
            Outcome::Stays => {
                ends.owed += lowers;
                false
            }
        }
    }

    async fn ask_for_end(
        &mut self,
        instance: &InstanceId,
        lowers_desired: bool,
        ends: &mut Ends,
    ) -> Outcome {
        let fleet = &self.pool.fleet;
        let mut ended = fleet.terminate(instance, lowers_desired).await;
        let is_at_minimum = matches!(ended, Ok(Ended::AtMinimum));
        if is_at_minimum {
            if self.is_draining || (self.has_failed(instance) && !self.tries_another()) {
                // The group would launch another one in its place.
                tracing::warn!(
                    instance_id = %instance,
                    "the group is at its minimum and keeps the instance: lower the group's minimum to have it ended"
                );
                self.errand.done.put_off += 1;
                return Outcome::Stays;
            }
            ended = fleet.terminate(instance, false).await;
        }
        match ended {
            Ok(Ended::Done) => {
                tracing::info!(instance_id = %instance, lowers_desired = lowers_desired && !is_at_minimum, "ended in the group");
                self.errand.done.ended += 1;
                if is_at_minimum {
                    Outcome::IsReplaced
                } else {
                    Outcome::Ends
                }
            }
            Ok(Ended::NotInGroup) => Outcome::IsGone,
            Ok(Ended::AtMinimum) => Outcome::Stays,
            Err(error) => self.not_ended(instance, error, is_at_minimum, ends),
        }
    }

    fn not_ended(
        &mut self,
        instance: &InstanceId,
        error: AwsError,
        is_at_minimum: bool,
        ends: &mut Ends,
    ) -> Outcome {
        ends.is_throttled |= error.meaning == Meaning::Throttled;
        // Without an answer it may have taken effect; the group shows that the next time it is read.
        let is_open = error.code.is_none() && error.is_transient();
        self.cannot(instance, &Trouble::from(error));
        match (is_open, is_at_minimum) {
            (true, false) => Outcome::Ends,
            (true, true) => Outcome::IsReplaced,
            (false, _) => Outcome::Stays,
        }
    }
}
