//! Machines' own security groups: one each, found again, opened as asked, deleted.

use std::time::Duration;

use aws_sdk_ec2::types::{IpPermission, IpRange};
use haulout_aws::groups::{Deleted, Groups};
use haulout_domain::{aws_code::Meaning, launch::Cidr, machine::Machine, naming::group_name};
use haulout_local::sim::SecurityGroupView;
use haulout_tests::{
    call::{Refusal, Service},
    faults::{CallFault, Trouble},
    settings::Settings,
    world::{DEPLOYMENT, World},
};

use super::{action, canned, catalog::calls, machine};

const OPEN: [&str; 3] = [
    "tcp 22-22 203.0.113.7/32",
    "tcp 80-80 203.0.113.7/32",
    "tcp 443-443 203.0.113.7/32",
];

fn groups(world: &World) -> Groups {
    Groups::new(world.sdk_config(), DEPLOYMENT)
}

fn cidr() -> Cidr {
    "203.0.113.7/32".parse().unwrap()
}

fn made(world: &World) -> Vec<SecurityGroupView> {
    world.sim.state().security_groups
}

fn trouble(world: &World, name: &str, trouble: Trouble, times: u32) {
    world.faults.arm(CallFault {
        times,
        ..CallFault::new("", &action(Service::Ec2, name), trouble)
    });
}

/// Rules in any order.
fn is_open(group: &SecurityGroupView) -> bool {
    group.ingress.len() == OPEN.len()
        && OPEN
            .iter()
            .all(|rule| group.ingress.iter().any(|there| there == rule))
}

#[tokio::test]
async fn a_group_is_made_once_with_its_tags_and_rules() {
    let world = World::start(Settings::default()).await;
    let (groups, machine) = (groups(&world), machine(&world));
    let id = groups.ensure(&machine, cidr(), None).await.unwrap();
    assert_eq!(groups.ensure(&machine, cidr(), None).await.unwrap(), id);
    let [group] = &made(&world)[..] else {
        panic!("one group");
    };
    assert_eq!(group.group_id, id.as_str());
    assert_eq!(group.name, group_name(&machine.id));
    assert!(is_open(group), "{group:?}");
    let tags: Vec<(&str, &str)> = group
        .tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        tags,
        [
            ("ManagedBy", "haulout"),
            ("Name", machine.name.as_str()),
            ("haulout:deployment", DEPLOYMENT),
            ("haulout:machine", machine.id.as_str()),
        ]
    );
}

#[tokio::test]
async fn ipv6_ranges_are_let_in_as_such() {
    let world = World::start(Settings::default()).await;
    let cidr = "2001:db8::/32".parse().unwrap();
    groups(&world)
        .ensure(&machine(&world), cidr, Some("vpc-0a1b2c3d4e5f60001"))
        .await
        .unwrap();
    assert_eq!(made(&world)[0].ingress[2], "tcp 443-443 2001:db8::/32");
}

#[tokio::test]
async fn lost_answers_leave_one_open_group() {
    for action in ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress"] {
        // The SDK tries three times: the answer comes at last, or in a later step.
        for times in [1, 2, 3] {
            let world = World::start(Settings::default()).await;
            let (groups, machine) = (groups(&world), machine(&world));
            trouble(&world, action, Trouble::Lost, times);
            let ensure = || groups.ensure(&machine, cidr(), None);
            let first = Box::pin(world.invoke("test", ensure)).await.unwrap();
            if times == 3 {
                assert!(first.unwrap_err().is_transient());
            } else {
                first.unwrap();
            }
            let id = ensure().await.unwrap();
            let [group] = &made(&world)[..] else {
                panic!("one group");
            };
            assert_eq!(group.group_id, id.as_str());
            assert!(is_open(group), "{action} {times} {group:?}");
        }
    }
}

#[tokio::test]
async fn what_was_begun_is_finished() {
    let world = World::start(Settings::default()).await;
    let (groups, machine) = (groups(&world), machine(&world));
    let refused = Trouble::Refused(Refusal::Throttled);
    trouble(&world, "AuthorizeSecurityGroupIngress", refused, 3);
    let ensure = || groups.ensure(&machine, cidr(), None);
    let error = Box::pin(world.invoke("test", ensure))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.meaning, Meaning::Throttled, "{error}");
    let group = made(&world).remove(0);
    assert!(group.ingress.is_empty());
    // Somebody was faster with one of the rules.
    let rule = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(80)
        .to_port(80)
        .ip_ranges(IpRange::builder().cidr_ip(cidr().to_string()).build());
    aws_sdk_ec2::Client::new(world.sdk_config())
        .authorize_security_group_ingress()
        .group_id(&group.group_id)
        .ip_permissions(rule.build())
        .send()
        .await
        .unwrap();
    assert_eq!(ensure().await.unwrap().as_str(), group.group_id);
    assert!(is_open(&made(&world)[0]), "{:?}", made(&world));
}

#[tokio::test]
async fn a_group_of_that_name_without_the_tags_is_not_taken() {
    let world = World::start(Settings::default()).await;
    let machine = machine(&world);
    let other = Groups::new(world.sdk_config(), "another");
    other.ensure(&machine, cidr(), None).await.unwrap();
    let wide = "0.0.0.0/0".parse().unwrap();
    let error = groups(&world)
        .ensure(&machine, wide, None)
        .await
        .unwrap_err();
    assert!(error.is("InvalidGroup.Duplicate"), "{error}");
    assert!(!error.is_transient());
    assert!(is_open(&made(&world)[0]), "not changed: {:?}", made(&world));
}

#[tokio::test]
async fn a_group_that_ec2_does_not_know_yet_is_waited_for() {
    let mut settings = Settings::default().lagging(5);
    settings.sim.change_lag = Duration::from_secs(2);
    let world = World::start(settings).await;
    let (groups, machine) = (groups(&world), machine(&world));
    for seconds in [0, 2] {
        world.jump(Duration::from_secs(seconds));
        let error = groups.ensure(&machine, cidr(), None).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::Unavailable, "{error}");
        assert!(groups.find(&machine.id).await.unwrap().is_empty());
    }
    world.jump(Duration::from_secs(3));
    let id = groups.ensure(&machine, cidr(), None).await.unwrap();
    assert_eq!(groups.find(&machine.id).await.unwrap(), [id]);
    assert_eq!(made(&world).len(), 1);
}

#[tokio::test]
async fn only_this_deployments_groups_are_found_and_listed() {
    let world = World::start(Settings::default()).await;
    let groups = groups(&world);
    let (one, two) = (machine(&world), machine(&world));
    let stranger = Groups::new(world.sdk_config(), "another");
    stranger
        .ensure(&machine(&world), cidr(), None)
        .await
        .unwrap();
    let ids = [
        groups.ensure(&one, cidr(), None).await.unwrap(),
        groups.ensure(&two, cidr(), None).await.unwrap(),
    ];
    assert_eq!(groups.find(&two.id).await.unwrap(), ids[1..]);
    let listed = groups.list().await.unwrap();
    let seen: Vec<_> = listed
        .iter()
        .map(|group| (&group.id, group.machine.as_ref()))
        .collect();
    assert_eq!(seen, [(&ids[0], Some(&one.id)), (&ids[1], Some(&two.id))]);
    assert_eq!(listed[0].name, group_name(&one.id));
}

#[tokio::test]
async fn a_listing_has_all_pages() {
    let world = World::start(Settings::default()).await;
    let config = canned::sdk_config(world.sdk_config(), |form| {
        let (id, next) = if form.contains("NextToken=more") {
            ("sg-00000002", "")
        } else {
            ("sg-00000001", "<nextToken>more</nextToken>")
        };
        format!(
            "<DescribeSecurityGroupsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><securityGroupInfo>\
             <item><groupId>{id}</groupId><groupName>a</groupName><groupDescription>a</groupDescription></item>\
             </securityGroupInfo>{next}</DescribeSecurityGroupsResponse>"
        )
    });
    let listed = Groups::new(&config, DEPLOYMENT).list().await.unwrap();
    let ids: Vec<_> = listed.iter().map(|group| group.id.as_str()).collect();
    assert_eq!(ids, ["sg-00000001", "sg-00000002"]);
    assert_eq!(listed[0].machine, None);
}

/// An instance with that group.
async fn launch_into(world: &World, group: &str) -> String {
    let answer = aws_sdk_ec2::Client::new(world.sdk_config())
        .run_instances()
        .image_id(super::catalog::X86)
        .instance_type("t3.micro".into())
        .min_count(1)
        .max_count(1)
        .security_group_ids(group)
        .send()
        .await
        .unwrap();
    answer.instances()[0].instance_id().unwrap().to_owned()
}

#[tokio::test]
async fn a_group_is_deleted_once_nothing_uses_it() {
    let world = World::start(Settings::default()).await;
    let (groups, machine) = (groups(&world), machine(&world));
    let id = groups.ensure(&machine, cidr(), None).await.unwrap();
    let instance = launch_into(&world, id.as_str()).await;
    assert_eq!(groups.delete(&id).await.unwrap(), Deleted::InUse);
    assert!(!groups.delete_of(&machine).await.unwrap());
    let instance = instance.parse().unwrap();
    world.compute.terminate(&instance).await.unwrap();
    world.jump(Duration::from_secs(20));
    for _ in 0..2 {
        assert_eq!(groups.delete(&id).await.unwrap(), Deleted::Gone);
    }
    assert!(made(&world).is_empty());
    let refused = Trouble::Refused(Refusal::AccessDenied);
    trouble(&world, "DeleteSecurityGroup", refused, 1);
    let delete = || groups.delete(&id);
    let answer = world.invoke("test", delete).await.unwrap();
    assert!(!answer.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_machines_group_is_deleted_by_its_id_or_by_its_tag() {
    for is_known in [true, false] {
        let world = World::start(Settings::default()).await;
        let (groups, mut machine) = (groups(&world), machine(&world));
        let now = world.clock.now();
        let other: Machine = super::machine(&world);
        groups.ensure(&other, cidr(), None).await.unwrap();
        machine.group_requested(now);
        assert!(groups.delete_of(&machine).await.unwrap(), "there is none");
        let id = groups.ensure(&machine, cidr(), None).await.unwrap();
        if is_known {
            machine.group_made(id, now);
        }
        let described = calls(&world, "ec2", "DescribeSecurityGroups");
        assert!(groups.delete_of(&machine).await.unwrap());
        let further = calls(&world, "ec2", "DescribeSecurityGroups") - described;
        assert_eq!(further, u64::from(!is_known));
        let left: Vec<_> = made(&world).into_iter().map(|group| group.name).collect();
        assert_eq!(left, [group_name(&other.id)]);
    }
}
