//! Names that derive from a record, so that whatever EC2 or Step Functions holds can be traced back to it.

use jiff::{Timestamp, tz::TimeZone};

use crate::ids::MachineId;

/// Tag on every instance and volume: which deployment they belong to. Only what carries it is ever terminated.
pub const TAG_DEPLOYMENT: &str = "haulout:deployment";
/// Tag on every instance and volume: the machine's id.
pub const TAG_MACHINE: &str = "haulout:machine";
/// Tag on every instance and volume: the attempt that launched it.
pub const TAG_ATTEMPT: &str = "haulout:attempt";
/// Tag that tells other tools whose instance this is.
pub const TAG_MANAGED_BY: &str = "ManagedBy";
/// The value of [`TAG_MANAGED_BY`].
pub const MANAGED_BY: &str = "haulout";
/// The tag EC2's console shows as the name.
pub const TAG_NAME: &str = "Name";

/// The EC2 client token of one attempt: RunInstances repeated with it never launches twice
/// (EC2 API, "Ensuring idempotency"; at most 64 ASCII characters).
pub fn client_token(id: &MachineId, attempt: u32) -> String {
    format!("{id}-a{attempt}")
}

/// The name of a state machine execution (Step Functions: at most 80 characters, unique for 90 days).
/// `cycle` counts the times the machine is brought up, `run` the executions that took over from one that died.
pub fn execution_name(id: &MachineId, cycle: u32, run: u32) -> String {
    format!("{id}-c{cycle}-r{run}")
}

/// The name of a machine's own security group (EC2: unique in its VPC, at most 255 characters, not `sg-…`).
pub fn group_name(id: &MachineId) -> String {
    format!("haulout-{id}")
}

/// The machine whose execution has this name, if it is one of ours.
pub fn machine_of_execution(name: &str) -> Option<MachineId> {
    name.get(..MachineId::LEN)?.parse().ok()
}

/// The name of a machine that was not given one: `walrus-vm-YYYYMMDD-HHMMSS`, UTC.
pub fn default_name(created_at: Timestamp) -> String {
    created_at
        .to_zoned(TimeZone::UTC)
        .strftime("walrus-vm-%Y%m%d-%H%M%S")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_names_fit_the_limits_of_aws() {
        let id = MachineId::generate();
        assert!(client_token(&id, u32::MAX).len() <= 64);
        let execution = execution_name(&id, u32::MAX, u32::MAX);
        assert!(execution.len() <= 80);
        assert_eq!(machine_of_execution(&execution), Some(id));
        assert_eq!(machine_of_execution("another"), None);
    }

    #[test]
    fn another_attempt_has_another_token() {
        let id = MachineId::generate();
        assert_ne!(client_token(&id, 1), client_token(&id, 2));
    }

    #[test]
    fn the_default_name_is_the_creation_time() {
        let at: Timestamp = "2026-03-04T05:06:07Z".parse().expect("a timestamp");
        assert_eq!(default_name(at), "walrus-vm-20260304-050607");
    }
}
