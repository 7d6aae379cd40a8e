//! Security groups: made, opened, described, launched with, deleted.

use std::time::Duration;

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, ResourceType, Tag};

use super::launch::{SUBNET_B, one, tags};
use super::{Lab, X86, code, filter};

const DEFAULT: &str = "sg-0a1b2c3d4e5f60001";
const UNKNOWN: &str = "sg-0123456789abcdef0";

impl Lab {
    pub(super) async fn make_group(&self, name: &str) -> String {
        let made = self
            .ec2
            .create_security_group()
            .group_name(name)
            .description("for a test")
            .tag_specifications(tags(
                ResourceType::SecurityGroup,
                &[("haulout:machine", name)],
            ))
            .send()
            .await
            .unwrap();
        made.group_id().unwrap().to_owned()
    }

    async fn delete_group(&self, id: &str) -> Result<(), String> {
        let deleted = self.ec2.delete_security_group().group_id(id).send().await;
        if deleted.is_ok() {
            return Ok(());
        }
        Err(code(deleted))
    }

    async fn launch_into(&self, group: &str) -> Result<String, String> {
        let launched = one(self)
            .image_id(X86)
            .instance_type("t3.micro".into())
            .security_group_ids(group)
            .send()
            .await;
        match launched {
            Ok(answer) => Ok(answer.instances()[0].instance_id().unwrap().to_owned()),
            refused => Err(code(refused)),
        }
    }
}

fn open(port: i32, cidr: &str) -> IpPermission {
    IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(port)
        .to_port(port)
        .ip_ranges(IpRange::builder().cidr_ip(cidr).description("mine").build())
        .build()
}

#[tokio::test]
async fn a_group_is_made_and_opened() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.make_group("haulout-m-1").await;
    let v6 = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22)
        .ipv6_ranges(Ipv6Range::builder().cidr_ipv6("2001:db8::1/64").build());
    let opened = lab
        .ec2
        .authorize_security_group_ingress()
        .group_id(&id)
        .ip_permissions(open(22, "198.51.100.9/24"))
        .ip_permissions(v6.build())
        .ip_permissions(open(443, "198.51.100.0/24"))
        .send()
        .await
        .unwrap();
    assert_eq!(opened.security_group_rules().len(), 3);
    let answer = lab
        .ec2
        .describe_security_groups()
        .group_ids(&id)
        .send()
        .await
        .unwrap();
    let [group] = answer.security_groups() else {
        panic!("not one group: {answer:?}")
    };
    assert_eq!(group.group_name(), Some("haulout-m-1"));
    assert_eq!(
        group.tags(),
        [Tag::builder()
            .key("haulout:machine")
            .value("haulout-m-1")
            .build()]
    );
    let [ssh, https] = group.ip_permissions() else {
        panic!("not two kinds of traffic: {group:?}")
    };
    assert_eq!(ssh.ip_ranges()[0].cidr_ip(), Some("198.51.100.0/24"));
    assert_eq!(ssh.ipv6_ranges()[0].cidr_ipv6(), Some("2001:db8::/64"));
    assert_eq!((https.from_port(), https.to_port()), (Some(443), Some(443)));
}

#[tokio::test]
async fn a_group_is_used_and_then_deleted() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.make_group("haulout-m-1").await;
    let instance = lab.launch_into(&id).await.unwrap();
    let groups = lab.describe(&instance).await.security_groups().to_vec();
    assert_eq!(groups[0].group_id(), Some(id.as_str()));
    assert_eq!(groups[0].group_name(), Some("haulout-m-1"));
    let state = lab.sim.state();
    assert_eq!(state.security_groups[0].instance_ids, [instance.as_str()]);
    lab.advance(12);
    assert_eq!(
        lab.delete_group(&id).await,
        Err("DependencyViolation".into())
    );
    lab.terminate(&instance).await;
    assert_eq!(
        lab.delete_group(&id).await,
        Err("DependencyViolation".into())
    );
    lab.advance(10);
    lab.delete_group(&id).await.unwrap();
    assert_eq!(
        lab.delete_group(&id).await,
        Err("InvalidGroup.NotFound".into())
    );
    assert_eq!(
        lab.launch_into(&id).await,
        Err("InvalidGroup.NotFound".into())
    );
    assert!(lab.sim.state().security_groups.is_empty());
}

#[tokio::test]
async fn what_ec2_refuses_of_groups() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.make_group("one").await;
    let create = |name: &str| {
        lab.ec2
            .create_security_group()
            .group_name(name)
            .description("for a test")
    };
    assert_eq!(code(create("one").send().await), "InvalidGroup.Duplicate");
    assert_eq!(code(create("sg-one").send().await), "InvalidParameterValue");
    assert_eq!(code(create("naïve").send().await), "InvalidParameterValue");
    let long = "x".repeat(256);
    assert_eq!(code(create(&long).send().await), "InvalidParameterValue");
    let elsewhere = create("two").vpc_id("vpc-0123456789abcdef0").send().await;
    assert_eq!(code(elsewhere), "InvalidVpcID.NotFound");
    let authorize = async |id: &str, permissions: &[IpPermission]| {
        lab.ec2
            .authorize_security_group_ingress()
            .group_id(id)
            .set_ip_permissions(Some(permissions.to_vec()))
            .send()
            .await
    };
    authorize(&id, &[open(22, "10.0.0.0/8")]).await.unwrap();
    let again = [open(80, "10.0.0.0/8"), open(22, "10.0.0.0/8")];
    assert_eq!(
        code(authorize(&id, &again).await),
        "InvalidPermission.Duplicate"
    );
    assert_eq!(
        lab.sim.state().security_groups[0].ingress,
        ["tcp 22-22 10.0.0.0/8"],
        "a refused call adds nothing"
    );
    assert_eq!(
        code(authorize(&id, &[open(22, "10.0.0.0/40")]).await),
        "InvalidParameterValue"
    );
    let many: Vec<_> = (1..=60).map(|port| open(port, "10.1.0.0/16")).collect();
    assert_eq!(
        code(authorize(&id, &many).await),
        "RulesPerSecurityGroupLimitExceeded"
    );
    for (unknown, expected) in [
        (UNKNOWN, "InvalidGroup.NotFound"),
        ("one", "InvalidGroupId.Malformed"),
    ] {
        let opened = authorize(unknown, &[open(22, "10.0.0.0/8")]).await;
        assert_eq!(code(opened), expected);
        assert_eq!(lab.delete_group(unknown).await, Err(expected.into()));
    }
    assert_eq!(lab.delete_group(DEFAULT).await, Err("CannotDelete".into()));
    let six: Vec<String> = vec![id; 6];
    let launch = one(&lab)
        .image_id(X86)
        .instance_type("t3.micro".into())
        .set_security_group_ids(Some(six));
    assert_eq!(
        code(launch.send().await),
        "SecurityGroupsPerInterfaceLimitExceeded"
    );
}

#[tokio::test]
async fn groups_are_found_by_name_tag_and_page() {
    let lab = Lab::new(|_| {}).await;
    for name in ["a", "b", "c", "d", "e", "f"] {
        lab.make_group(name).await;
    }
    let find = async |filters: &[aws_sdk_ec2::types::Filter]| -> Vec<String> {
        let answer = lab
            .ec2
            .describe_security_groups()
            .set_filters(Some(filters.to_vec()))
            .send()
            .await
            .unwrap();
        let groups = answer.security_groups().iter();
        groups.map(|g| g.group_name().unwrap().to_owned()).collect()
    };
    assert_eq!(
        find(&[filter("group-name", &["b", "default"])]).await,
        ["default", "b"]
    );
    assert_eq!(find(&[filter("tag:haulout:machine", &["c"])]).await, ["c"]);
    assert_eq!(
        find(&[filter("tag-key", &["haulout:machine"])]).await.len(),
        6
    );
    assert_eq!(find(&[filter("group-id", &[DEFAULT])]).await, ["default"]);
    assert_eq!(
        find(&[filter("vpc-id", &["vpc-0123456789abcdef0"])]).await,
        Vec::<String>::new()
    );
    let first = lab.ec2.describe_security_groups().max_results(5);
    let first = first.send().await.unwrap();
    let second = lab
        .ec2
        .describe_security_groups()
        .max_results(5)
        .next_token(first.next_token().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            first.security_groups().len(),
            second.security_groups().len()
        ),
        (5, 2)
    );
    assert_eq!(second.next_token(), None);
    let by_name = lab.ec2.describe_security_groups().group_names("nobody");
    assert_eq!(code(by_name.send().await), "InvalidGroup.NotFound");
}

#[tokio::test]
async fn a_new_group_is_known_late_and_tagged_like_anything() {
    let lab = Lab::new(|config| {
        config.describe_lag = Duration::from_secs(5);
        config.change_lag = Duration::from_secs(2);
    })
    .await;
    let id = lab.make_group("late").await;
    let describe = || lab.ec2.describe_security_groups().group_ids(&id).send();
    let tag = || {
        lab.ec2
            .create_tags()
            .resources(&id)
            .tags(Tag::builder().key("k").value("v").build())
            .send()
    };
    assert_eq!(code(tag().await), "InvalidGroup.NotFound");
    let launched = lab.launch_into(&id).await;
    assert_eq!(launched, Err("InvalidGroup.NotFound".into()));
    lab.advance(2);
    tag().await.unwrap();
    assert_eq!(code(describe().await), "InvalidGroup.NotFound");
    lab.advance(3);
    assert_eq!(
        describe().await.unwrap().security_groups()[0].tags().len(),
        2
    );
    let tags = lab.ec2.describe_tags();
    let tags = tags.filters(filter("resource-type", &["security-group"]));
    assert_eq!(tags.send().await.unwrap().tags().len(), 2);
}

#[tokio::test]
async fn a_subnet_runs_out_of_addresses() {
    let lab = Lab::new(|_| {}).await;
    lab.sim.set_addresses(SUBNET_B, 1);
    let launch = async || {
        one(&lab)
            .image_id(X86)
            .instance_type("t3.micro".into())
            .subnet_id(SUBNET_B)
            .send()
            .await
    };
    let left = async || {
        let answer = lab.ec2.describe_subnets().subnet_ids(SUBNET_B).send().await;
        answer.unwrap().subnets()[0].available_ip_address_count()
    };
    assert_eq!(left().await, Some(1));
    launch().await.unwrap();
    assert_eq!(left().await, Some(0));
    assert_eq!(code(launch().await), "InsufficientFreeAddressesInSubnet");
    let volumes = lab.sim.state().volumes;
    assert_eq!((volumes.len(), volumes[0].size_gib), (1, 8));
}
