//! What EC2 listed, kept small: texts that many instances share are kept once, and pages are dropped as soon
//! as they are read. Ten thousand instances are some megabytes.

use std::collections::HashMap;

use haulout_aws::{compute::Listed, groups::ListedGroup};
use haulout_domain::{
    ids::{InstanceId, MachineId},
    launch::SecurityGroupId,
    machine::{InstanceFacts, Machine},
    status::InstanceState,
};
use jiff::Timestamp;

/// The number of a text; 0 is none.
type Word = u32;

/// Texts, each kept once.
#[derive(Debug, Default)]
struct Words {
    numbers: HashMap<Box<str>, Word>,
    texts: Vec<Box<str>>,
}

impl Words {
    fn number(&mut self, text: Option<&str>) -> Word {
        let Some(text) = text else {
            return 0;
        };
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        self.texts.push(text.into());
        let number = Word::try_from(self.texts.len()).unwrap_or(0);
        self.numbers.insert(text.into(), number);
        number
    }

    fn text(&self, number: Word) -> Option<String> {
        let position = usize::try_from(number).ok()?.checked_sub(1)?;
        self.texts.get(position).map(ToString::to_string)
    }
}

/// An instance of the listing.
#[derive(Debug)]
struct Compact {
    id: InstanceId,
    attempt: Option<u32>,
    is_grouped: bool,
    state: InstanceState,
    launch_time: Option<Timestamp>,
    public_ip: Option<Box<str>>,
    private_ip: Option<Box<str>>,
    spot_request_id: Option<Box<str>>,
    state_reason: Word,
    state_reason_code: Word,
    ami_id: Word,
    instance_type: Word,
    architecture: Word,
    availability_zone: Word,
    subnet_id: Word,
    security_group_id: Word,
    key_name: Word,
}

/// Something that carries the deployment's tag.
#[derive(Debug)]
struct Tagged<T> {
    /// From the tag `haulout:machine`.
    machine: Option<MachineId>,
    /// A record knows why it exists.
    is_explained: bool,
    it: T,
}

/// An instance or a group that no record has explained so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stray<I> {
    /// EC2's id.
    pub(crate) id: I,
    /// The machine that its tag names.
    pub(crate) machine: Option<MachineId>,
    /// The attempt that its tag names.
    pub(crate) attempt: Option<u32>,
    /// When EC2 launched it.
    pub(crate) launched: Option<Timestamp>,
}

/// What EC2 listed.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    words: Words,
    instances: Vec<Tagged<Compact>>,
    groups: Vec<Tagged<SecurityGroupId>>,
}

impl Seen {
    /// Takes in a page of instances.
    pub(crate) fn add(&mut self, page: Vec<Listed>) {
        self.instances.reserve(page.len());
        for listed in page {
            let machine = listed.machine.clone();
            // A group's instances are its own, whatever tags its launch template puts on them.
            let is_explained = listed.is_grouped;
            let it = self.pack(listed);
            self.instances.push(Tagged {
                machine,
                is_explained,
                it,
            });
        }
    }

    /// Takes in the security groups.
    pub(crate) fn add_groups(&mut self, groups: Vec<ListedGroup>) {
        self.groups = groups
            .into_iter()
            .map(|group| Tagged {
                machine: group.machine,
                is_explained: false,
                it: group.id,
            })
            .collect();
    }

    /// Nothing is added any more: from now on, machines can be looked up.
    pub(crate) fn complete(&mut self) {
        self.instances
            .sort_by(|one, other| one.machine.cmp(&other.machine));
        self.instances.shrink_to_fit();
        self.groups
            .sort_by(|one, other| one.machine.cmp(&other.machine));
    }

    /// The instances that carry the machine's tag. Those that its record explains are no strays.
    pub(crate) fn of(&mut self, machine: &Machine) -> Vec<Listed> {
        for group in of(&mut self.groups, &machine.id) {
            group.is_explained |= machine.closed_at.is_none();
        }
        let words = &self.words;
        of(&mut self.instances, &machine.id)
            .iter_mut()
            .map(|tagged| {
                tagged.is_explained |= machine.explains(&tagged.it.id, tagged.it.attempt);
                Listed {
                    machine: tagged.machine.clone(),
                    attempt: tagged.it.attempt,
                    is_grouped: tagged.it.is_grouped,
                    facts: unpack(words, &tagged.it),
                }
            })
            .collect()
    }

    /// Instances that no record has explained and that are not ending, those launched first at the head.
    pub(crate) fn stray_instances(&self) -> Vec<Stray<InstanceId>> {
        let is_ending = |state| {
            matches!(
                state,
                InstanceState::ShuttingDown | InstanceState::Terminated
            )
        };
        let mut strays: Vec<_> = self
            .instances
            .iter()
            .filter(|tagged| !tagged.is_explained && !is_ending(tagged.it.state))
            .map(|tagged| Stray {
                id: tagged.it.id.clone(),
                machine: tagged.machine.clone(),
                attempt: tagged.it.attempt,
                launched: tagged.it.launch_time,
            })
            .collect();
        strays.sort_by(|one, other| (one.launched, &one.id).cmp(&(other.launched, &other.id)));
        strays
    }

    /// Security groups of which no open record knows.
    pub(crate) fn stray_groups(&self) -> Vec<Stray<SecurityGroupId>> {
        self.groups
            .iter()
            .filter(|tagged| !tagged.is_explained)
            .map(|tagged| Stray {
                id: tagged.it.clone(),
                machine: tagged.machine.clone(),
                attempt: None,
                launched: None,
            })
            .collect()
    }

    fn pack(&mut self, listed: Listed) -> Compact {
        let Listed {
            attempt,
            is_grouped,
            facts,
            ..
        } = listed;
        let words = &mut self.words;
        Compact {
            attempt,
            is_grouped,
            state: facts.state,
            launch_time: facts.launch_time,
            public_ip: facts.public_ip.map(String::into_boxed_str),
            private_ip: facts.private_ip.map(String::into_boxed_str),
            spot_request_id: facts.spot_request_id.map(String::into_boxed_str),
            state_reason: words.number(facts.state_reason.as_deref()),
            state_reason_code: words.number(facts.state_reason_code.as_deref()),
            ami_id: words.number(facts.ami_id.as_deref()),
            instance_type: words.number(facts.instance_type.as_deref()),
            architecture: words.number(facts.architecture.as_deref()),
            availability_zone: words.number(facts.availability_zone.as_deref()),
            subnet_id: words.number(facts.subnet_id.as_deref()),
            security_group_id: words.number(facts.security_group_id.as_deref()),
            key_name: words.number(facts.key_name.as_deref()),
            id: facts.id,
        }
    }
}

fn unpack(words: &Words, it: &Compact) -> InstanceFacts {
    let owned = |text: &Option<Box<str>>| text.as_ref().map(ToString::to_string);
    InstanceFacts {
        id: it.id.clone(),
        state: it.state,
        state_reason: words.text(it.state_reason),
        state_reason_code: words.text(it.state_reason_code),
        ami_id: words.text(it.ami_id),
        instance_type: words.text(it.instance_type),
        architecture: words.text(it.architecture),
        availability_zone: words.text(it.availability_zone),
        subnet_id: words.text(it.subnet_id),
        public_ip: owned(&it.public_ip),
        private_ip: owned(&it.private_ip),
        security_group_id: words.text(it.security_group_id),
        spot_request_id: owned(&it.spot_request_id),
        key_name: words.text(it.key_name),
        launch_time: it.launch_time,
    }
}

/// What carries the machine's tag, of what is sorted by it.
fn of<'a, T>(tagged: &'a mut [Tagged<T>], machine: &MachineId) -> &'a mut [Tagged<T>] {
    let start = tagged.partition_point(|it| it.machine.as_ref() < Some(machine));
    let rest = tagged.get_mut(start..).unwrap_or_default();
    let count = rest.partition_point(|it| it.machine.as_ref() == Some(machine));
    rest.get_mut(..count).unwrap_or_default()
}
