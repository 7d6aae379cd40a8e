//! EC2's description of an instance, in our words.

use aws_sdk_ec2::types::{Instance, Tag};
use haulout_domain::{machine::InstanceFacts, status::InstanceState};
use jiff::Timestamp;

/// What we keep of EC2's description; nothing for one without an id or with a state this code does not know.
pub(super) fn facts(instance: &Instance) -> Option<InstanceFacts> {
    let state: InstanceState = instance.state()?.name()?.as_str().parse().ok()?;
    let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let reason = instance.state_reason();
    let launch_time = instance
        .launch_time()
        .and_then(|at| Timestamp::from_second(at.secs()).ok());
    Some(InstanceFacts {
        id: instance.instance_id()?.parse().ok()?,
        state,
        state_reason: owned(reason.and_then(|reason| reason.message())),
        state_reason_code: owned(reason.and_then(|reason| reason.code())),
        ami_id: owned(instance.image_id()),
        instance_type: instance.instance_type().map(|it| it.as_str().to_owned()),
        architecture: instance.architecture().map(|it| it.as_str().to_owned()),
        availability_zone: owned(instance.placement().and_then(|it| it.availability_zone())),
        subnet_id: owned(instance.subnet_id()),
        public_ip: owned(instance.public_ip_address()),
        private_ip: owned(instance.private_ip_address()),
        security_group_id: owned(
            instance
                .security_groups()
                .first()
                .and_then(|group| group.group_id()),
        ),
        spot_request_id: owned(instance.spot_instance_request_id()),
        key_name: owned(instance.key_name()),
        launch_time,
    })
}

/// The value of an instance's tag.
pub(super) fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    instance
        .tags()
        .iter()
        .find(|tag| tag.key() == Some(key))
        .and_then(Tag::value)
}
