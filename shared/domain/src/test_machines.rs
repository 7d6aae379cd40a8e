//! Machines for the tests of this crate.

use jiff::Timestamp;

use crate::{
    ids::MachineId,
    machine::{InstanceFacts, LaunchSpec, Machine, MachineRequest},
    poll::Deadlines,
    staging::{Archive, StagingSpec},
    status::{InstanceState, OnFailure},
    transition::CommandState,
};

pub(crate) const STAGED: &str = "haulout: ready script=running pid=4711 size_bytes=120 seconds=4\n";

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_772_600_000 + seconds).expect("a time in range")
}

pub(crate) fn machine(staged: bool, on_failure: OnFailure) -> Machine {
    let blob = format!("0x{}", "ab".repeat(32));
    let request = MachineRequest {
        owner: "admin".to_owned(),
        name: None,
        launch: LaunchSpec {
            launch_template_id: "lt-01234567".parse().ok(),
            ..LaunchSpec::default()
        },
        staging: staged.then(|| StagingSpec {
            archive: Archive::Blob(blob.parse().expect("an object id")),
            package_key: None,
            sha256: None,
            size_bytes: None,
        }),
        on_failure,
        keep_failed_minutes: 60,
        deadlines: Deadlines::default(),
        wait_for_status_checks: false,
        ttl_minutes: None,
    };
    Machine::new(MachineId::generate(), request, at(0))
}

pub(crate) fn facts(state: InstanceState) -> InstanceFacts {
    InstanceFacts {
        id: "i-0123456789abcdef0".parse().expect("an instance id"),
        state,
        state_reason: Some("Server.InternalError".to_owned()),
        state_reason_code: None,
        key_name: None,
        ami_id: None,
        instance_type: None,
        architecture: None,
        availability_zone: None,
        subnet_id: None,
        public_ip: None,
        private_ip: None,
        security_group_id: None,
        spot_request_id: None,
        launch_time: None,
    }
}

pub(crate) fn ended(stdout: &str, code: i32) -> CommandState {
    CommandState::Ended {
        response_code: Some(code),
        stdout: stdout.to_owned(),
        stderr: String::new(),
    }
}

/// One whose instance was just launched.
pub(crate) fn launching() -> Machine {
    let mut machine = machine(true, OnFailure::Terminate);
    machine.launch_requested(at(1));
    machine.launched(facts(InstanceState::Pending), at(2));
    machine
}

/// One that came up.
pub(crate) fn ready() -> Machine {
    let mut machine = launching();
    let running = Some(facts(InstanceState::Running));
    machine
        .instance_observed(running, false, at(12))
        .expect("running");
    machine.command_sent("c-1".to_owned(), at(26));
    machine
        .command_observed(ended(STAGED, 0), at(34))
        .expect("staged");
    machine
}

/// A spot machine that came up.
pub(crate) fn spot() -> Machine {
    let mut machine = ready();
    if let Some(instance) = &mut machine.instance {
        instance.spot_request_id = Some("sir-01234567".to_owned());
    }
    machine
}
