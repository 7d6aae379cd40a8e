//! The steps of a sequence, as data: a sequence without some of its steps is one, too, which is how a failing one is
//! made shorter.

use haulout_tests::{
    call::{Refusal, Service},
    faults::{Death, Fate, Trouble},
    random::Random,
};

/// Something that happens. Machines are counted from the newest one; beyond the last, it begins anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Somebody asks for a machine.
    Create(Wish),
    /// The last request for a machine is sent again.
    CreateAgain,
    /// Somebody asks something of a machine.
    Ask(Verb, usize),
    /// Several ask something of a machine at the same moment.
    AskAtOnce(Vec<Verb>, usize),
    /// Somebody lists the machines.
    List,
    /// Somebody begins or ends the drain.
    Drain(bool),
    /// So many seconds pass.
    Wait(u64),
    /// EC2 takes a spot instance back.
    Interrupt(usize),
    /// Somebody does something to an instance behind Haulout's back.
    Outside(Outside, usize),
    /// EC2 has room for so many instances only: in a zone, of a type, in a market; everywhere when nothing.
    Scarce(Option<Scarcity>),
    /// EC2 shows a machine that misbehaves.
    Misbehave(&'static str, &'static str),
    /// AWS calls go wrong.
    Trouble(Calls),
    /// Something happens to invocations.
    Doom(Invocations),
    /// Nothing goes wrong any more.
    Calm,
    /// An execution is stopped where it is.
    Abort(usize),
    /// An execution is gone as if it had never been.
    Vanish(usize),
    /// The sweep runs.
    Sweep,
    /// An event of EC2's is delivered once more.
    EventAgain(usize),
    /// The last so many records of the stream are delivered once more.
    StreamAgain(usize),
}

/// What a machine is asked for with. Words stand for values of the test's world.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a request's flags")]
pub(super) struct Wish {
    /// Something is staged.
    pub(super) blob: bool,
    /// From the spot market; with a way out of it, or without.
    pub(super) spot: Option<bool>,
    /// With a security group of its own.
    pub(super) group: bool,
    /// For so many minutes.
    pub(super) ttl: Option<u32>,
    /// Kept when it fails.
    pub(super) keep: bool,
    /// Its status checks are waited for.
    pub(super) checks: bool,
    /// For ARM.
    pub(super) arm: bool,
    /// With an idempotency key.
    pub(super) key: Option<u32>,
}

/// What can be asked of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// POST …/start.
    Start,
    /// POST …/stop.
    Stop,
    /// DELETE.
    Delete,
    /// GET.
    Get,
    /// GET by EC2's id.
    GetInstance,
}

/// What can be done to an instance without Haulout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    /// StopInstances.
    Stop,
    /// StartInstances.
    Start,
    /// TerminateInstances.
    Terminate,
}

/// Where EC2 has little room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scarcity {
    /// Of the zone with this letter.
    pub(super) zone: Option<char>,
    /// Of the types that Haulout takes by default: the first or the second.
    pub(super) instance_type: Option<usize>,
    /// In the spot market, or only in the other one.
    pub(super) spot: Option<bool>,
    /// So many fit.
    pub(super) limit: u32,
}

/// AWS calls that go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Calls {
    /// Of these functions.
    pub(super) function: &'static str,
    /// Which.
    pub(super) action: (Service, &'static str),
    /// How.
    pub(super) trouble: Trouble,
    /// Not the first ones.
    pub(super) skip: u32,
    /// How many.
    pub(super) times: u32,
}

/// Invocations to which something happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invocations {
    /// Of these functions.
    pub(super) function: &'static str,
    /// What.
    pub(super) fate: Fate,
    /// Not the first ones.
    pub(super) skip: u32,
    /// How many.
    pub(super) times: u32,
}

const FUNCTIONS: [&str; 16] = [
    "",
    "instances",
    "instances.post",
    "refresh",
    "events",
    "events.ec2",
    "events.stream",
    "provision",
    "provision.launch",
    "provision.check_instance",
    "provision.check_agent",
    "provision.send_command",
    "provision.check_command",
    "provision.fail",
    "provision.terminate",
    "provision.check_termination",
];

const ACTIONS: [(Service, &str); 21] = [
    (Service::DynamoDb, "GetItem"),
    (Service::DynamoDb, "PutItem"),
    (Service::DynamoDb, "TransactWriteItems"),
    (Service::DynamoDb, "Query"),
    (Service::DynamoDb, "DeleteItem"),
    (Service::Ec2, "RunInstances"),
    (Service::Ec2, "DescribeInstances"),
    (Service::Ec2, "DescribeInstanceStatus"),
    (Service::Ec2, "DescribeSpotInstanceRequests"),
    (Service::Ec2, "TerminateInstances"),
    (Service::Ec2, "StartInstances"),
    (Service::Ec2, "StopInstances"),
    (Service::Ec2, "CreateSecurityGroup"),
    (Service::Ec2, "AuthorizeSecurityGroupIngress"),
    (Service::Ec2, "DescribeSecurityGroups"),
    (Service::Ec2, "DeleteSecurityGroup"),
    (Service::Ssm, "SendCommand"),
    (Service::Ssm, "GetCommandInvocation"),
    (Service::Sns, "Publish"),
    (Service::StepFunctions, "StartExecution"),
    (Service::StepFunctions, "DescribeExecution"),
];

const MISBEHAVIOURS: [(&str, &str); 9] = [
    ("boot", "never"),
    ("boot", "slow"),
    ("boot", "dies"),
    ("register", "never"),
    ("register", "slow"),
    ("status", "never"),
    ("status", "slow"),
    ("stop", "slow"),
    ("command", "hang"),
];

const VERBS: [Verb; 9] = [
    Verb::Stop,
    Verb::Stop,
    Verb::Stop,
    Verb::Start,
    Verb::Start,
    Verb::Start,
    Verb::Delete,
    Verb::Get,
    Verb::GetInstance,
];

/// A sequence: it begins with a machine.
pub(super) fn sequence(random: &mut Random, length: usize) -> Vec<Step> {
    let mut steps = vec![Step::Create(wish(random))];
    while steps.len() < length {
        // What passes between two things that happen is most of what happens.
        if random.percent(33) {
            steps.push(Step::Wait(seconds(random)));
        } else {
            steps.push(step(random));
        }
    }
    steps
}

fn step(random: &mut Random) -> Step {
    let which = random.below(9);
    match random.below(100) {
        0..=13 => Step::Create(wish(random)),
        14..=16 => Step::CreateAgain,
        17..=43 => Step::Ask(*random.pick(&VERBS), which),
        44..=47 => Step::AskAtOnce(verbs(random), which),
        48..=49 => Step::List,
        50 => Step::Drain(true),
        51..=52 => Step::Drain(false),
        53..=58 => Step::Interrupt(which),
        59..=66 => {
            let outside = [Outside::Stop, Outside::Start, Outside::Terminate];
            Step::Outside(*random.pick(&outside), which)
        }
        67..=69 => Step::Scarce(random.percent(70).then(|| scarcity(random))),
        70..=73 => {
            let (part, how) = *random.pick(&MISBEHAVIOURS);
            Step::Misbehave(part, how)
        }
        74..=80 => Step::Trouble(calls(random)),
        81..=86 => Step::Doom(invocations(random)),
        87..=89 => Step::Calm,
        90..=91 => Step::Abort(which),
        92 => Step::Vanish(which),
        93..=96 => Step::Sweep,
        97..=98 => Step::EventAgain(which),
        _ => Step::StreamAgain(1 + which),
    }
}

/// From a second to a quarter of an hour, mostly as long as a phase takes.
fn seconds(random: &mut Random) -> u64 {
    let below = *random.pick(&[15, 30, 60, 90, 180, 360, 900]);
    1 + u64::try_from(random.below(below)).unwrap()
}

fn wish(random: &mut Random) -> Wish {
    Wish {
        blob: random.percent(60),
        spot: random.percent(30).then(|| random.percent(50)),
        group: random.percent(30),
        ttl: random.percent(20).then(|| 1 + small(random, 40)),
        keep: random.percent(20),
        checks: random.percent(10),
        arm: random.percent(10),
        key: random.percent(40).then(|| small(random, 1_000)),
    }
}

fn verbs(random: &mut Random) -> Vec<Verb> {
    (0..2 + random.below(4))
        .map(|_| *random.pick(&VERBS))
        .collect()
}

fn scarcity(random: &mut Random) -> Scarcity {
    let zone = random.percent(60).then(|| *random.pick(&['a', 'b', 'c']));
    Scarcity {
        zone,
        instance_type: random.percent(40).then(|| random.below(2)),
        spot: random.percent(50).then(|| random.percent(70)),
        limit: *random.pick(&[0, 0, 1]),
    }
}

fn calls(random: &mut Random) -> Calls {
    let troubles = [
        Trouble::Refused(Refusal::Throttled),
        Trouble::Refused(Refusal::ServerError),
        Trouble::Refused(Refusal::AccessDenied),
        Trouble::Lost,
        Trouble::Lost,
    ];
    Calls {
        function: FUNCTIONS[random.below(FUNCTIONS.len())],
        action: *random.pick(&ACTIONS),
        trouble: *random.pick(&troubles),
        skip: small(random, 6),
        times: *random.pick(&[1, 2, 3, 5, 10, 40, 400]),
    }
}

fn invocations(random: &mut Random) -> Invocations {
    let death = *random.pick(&[Death::Exit, Death::Unknown, Death::TimedOut]);
    let after_calls = small(random, 6);
    let killed = Fate::Killed { after_calls, death };
    let stalled = Fate::Stalled {
        after_calls,
        seconds: small(random, 60),
    };
    let refused = Fate::Refused("Lambda.TooManyRequestsException");
    let fates = [
        killed,
        killed,
        killed,
        stalled,
        stalled,
        refused,
        Fate::Repeated,
    ];
    Invocations {
        function: FUNCTIONS[random.below(FUNCTIONS.len())],
        fate: *random.pick(&fates),
        skip: small(random, 6),
        times: *random.pick(&[1, 1, 2, 5, 20]),
    }
}

fn small(random: &mut Random, below: usize) -> u32 {
    u32::try_from(random.below(below)).unwrap()
}
