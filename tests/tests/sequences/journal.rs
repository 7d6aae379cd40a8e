//! Every write of a record, in order, as the stream of the table tells it: what no write may do.

use std::collections::BTreeMap;

use haulout_domain::{
    ids::MachineId,
    machine::Machine,
    naming,
    status::{Desired, Status},
};
use haulout_events::StreamRecord;
use haulout_tests::world::World;

/// A machine entered a status.
pub(super) struct Entered {
    pub(super) id: MachineId,
    pub(super) from: Status,
    pub(super) to: Status,
    /// Its cycle then.
    pub(super) cycle: u32,
}

/// The records as they were written.
#[derive(Default)]
pub(super) struct Journal {
    /// How many writes were read.
    pub(super) read: usize,
    /// Each machine as it was written last.
    pub(super) machines: BTreeMap<MachineId, Machine>,
    /// Each change of a status.
    pub(super) entered: Vec<Entered>,
    /// In order of creation.
    order: Vec<MachineId>,
}

impl Journal {
    /// The machines, in the order they were made.
    pub(super) fn ids(&self) -> Vec<MachineId> {
        self.order.clone()
    }

    /// Reads what was written since; what of it must not be.
    pub(super) fn read_on(&mut self, world: &World) -> Vec<String> {
        let writes = world.writes_from(self.read);
        self.read += writes.len();
        let mut wrong = Vec::new();
        for write in writes {
            let record: StreamRecord = serde_json::from_value(write).unwrap();
            let Some((before, after)) = record.read().unwrap() else {
                wrong.push("a record was deleted".to_owned());
                continue;
            };
            let known = self.machines.get(&after.id);
            if known != before.as_ref() {
                wrong.push(format!("{}: the stream has a gap", after.id));
            }
            let told = match &before {
                None => self.created(&after),
                Some(before) => self.changed(before, &after),
            };
            wrong.extend(told.map(|what| format!("{}: {what}", after.id)));
            self.machines.insert(after.id.clone(), after);
        }
        wrong
    }

    fn created(&mut self, after: &Machine) -> Option<String> {
        self.order.push(after.id.clone());
        let is_new = (after.version, after.attempt, after.cycle, after.run) == (1, 1, 1, 1)
            && after.status == Status::WaitingForInstance
            && after.instance_id.is_none();
        (!is_new).then(|| "it was not new when it was made".to_owned())
    }

    fn changed(&mut self, before: &Machine, after: &Machine) -> Option<String> {
        if before.status != after.status {
            self.entered.push(Entered {
                id: after.id.clone(),
                from: before.status,
                to: after.status,
                cycle: after.cycle,
            });
        }
        let (was, is) = (before.status, after.status);
        let failed = [
            (
                after.version != before.version + 1,
                "its version was skipped",
            ),
            (
                !goes_where_it_may(before, after),
                "a status went where it must not",
            ),
            (
                before.closed_at.is_some() && before != after,
                "a closed record was written",
            ),
            (
                before.gone_at.is_some() && after.gone_at != before.gone_at,
                "it came back",
            ),
            (
                before.desired == Desired::Terminated && after.desired != Desired::Terminated,
                "it was to end, and then not",
            ),
            (counters(after) < counters(before), "a counter went back"),
            (
                before.attempt == after.attempt
                    && before.plan.is_some()
                    && after.plan != before.plan,
                "the plan of an attempt was changed",
            ),
            (
                before.attempt == after.attempt
                    && before.instance_id.is_some()
                    && after.instance_id != before.instance_id,
                "it lost its instance",
            ),
            (
                after.closed_at.is_some() && after.counted,
                "it ended and is still counted",
            ),
            (
                after.closed_at.is_some() && after.has_group_left(),
                "it ended before its group",
            ),
            (!is_in_order(before, after), "its timeline went back"),
        ];
        let what = failed.into_iter().find(|(is_wrong, _)| *is_wrong)?.1;
        Some(format!(
            "{what}: {was} {:?} to {is} {:?}, {} to {}",
            before.desired,
            after.desired,
            naming::execution_name(&before.id, before.cycle, before.run),
            naming::execution_name(&after.id, after.cycle, after.run),
        ))
    }
}

fn counters(machine: &Machine) -> (u32, u32, u32) {
    (machine.attempt, machine.cycle, machine.run)
}

/// What was written into the timeline stays, and what comes is not earlier.
fn is_in_order(before: &Machine, after: &Machine) -> bool {
    let in_time = after.timeline.windows(2).all(|two| two[0].at <= two[1].at);
    let is_kept = after.timeline.starts_with(&before.timeline) || before.timeline.len() >= 100;
    let is_current = after.timeline.last().map(|last| last.phase) == Some(after.status);
    in_time && is_kept && is_current
}

/// Each status it went through in a write leads to the next: a sweep may begin an end and see it come to pass at once.
fn goes_where_it_may(before: &Machine, after: &Machine) -> bool {
    let entered = after.timeline.iter().skip(before.timeline.len());
    let last = std::iter::once(after.status);
    let mut was = before.status;
    entered
        .map(|entry| entry.phase)
        .chain(last)
        .all(|is| was == is || leads_to(std::mem::replace(&mut was, is), is))
}

/// Where a status may lead.
fn leads_to(was: Status, is: Status) -> bool {
    use Status::{
        Claimed, Draining, Failed, FetchingBlob, Idle, Interrupted, Ready, Starting, Stopped,
        Stopping, Terminated, Terminating, WaitingForInstance, WaitingForSsm, Warming,
    };
    let to: &[Status] = match was {
        WaitingForInstance => &[
            WaitingForSsm,
            Ready,
            Failed,
            Interrupted,
            Terminating,
            Terminated,
        ],
        WaitingForSsm => &[
            FetchingBlob,
            Failed,
            Interrupted,
            Draining,
            Terminating,
            Terminated,
        ],
        FetchingBlob => &[
            Ready,
            Idle,
            Failed,
            Interrupted,
            Draining,
            Terminating,
            Terminated,
        ],
        Ready => &[Stopping, Interrupted, Terminating, Terminated],
        // One that is kept, or was started again.
        Failed => &[Stopping, Terminating],
        // Back to where it came from, when EC2 refuses.
        Stopping => &[Stopped, Ready, Failed, Terminating, Terminated],
        Stopped => &[Starting, Terminating, Terminated],
        Starting => &[WaitingForSsm, Ready, Stopping, Terminating, Terminated],
        Interrupted => &[Terminating, Terminated],
        Terminating | Draining => &[Terminated],
        Terminated => &[],
        Warming => &[WaitingForSsm, Idle, Draining, Terminated],
        // Back, when somebody sets it aside in its group.
        Idle => &[Claimed, Warming, Draining, Terminated],
        Claimed => &[Draining, Terminated],
    };
    to.contains(&is)
}
