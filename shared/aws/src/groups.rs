//! EC2: security groups of machines' own. Each is made for one machine, found by its tags, and deleted with it.

use aws_config::SdkConfig;
use aws_sdk_ec2::{
    Client,
    types::{
        Filter, IpPermission, IpRange, Ipv6Range, ResourceType, SecurityGroup, Tag,
        TagSpecification,
    },
};
use haulout_domain::{
    aws_code::Meaning,
    ids::MachineId,
    launch::{Cidr, SecurityGroupId},
    machine::Machine,
    naming::{MANAGED_BY, TAG_DEPLOYMENT, TAG_MACHINE, TAG_MANAGED_BY, TAG_NAME, group_name},
};

use crate::error::AwsError;

/// The ports that are let in, all TCP: SSH, HTTP, HTTPS.
const PORTS: [i32; 3] = [22, 80, 443];

/// The security groups of one deployment.
#[derive(Debug, Clone)]
pub struct Groups {
    client: Client,
    deployment: String,
}

/// A security group in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// Its name.
    pub name: String,
    /// From the tag `haulout:machine`; nothing if it does not hold a machine id.
    pub machine: Option<MachineId>,
}

/// What became of a group that was to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone, or never was.
    Gone,
    /// An instance that has not ended, or another group, still uses it.
    InUse,
}

impl Groups {
    /// EC2, tagging and finding groups as this deployment's.
    pub fn new(config: &SdkConfig, deployment: impl Into<String>) -> Self {
        Self {
            client: Client::new(config),
            deployment: deployment.into(),
        }
    }

    /// The machine's own group, made if there is none (CreateSecurityGroup), letting in `cidr`
    /// (AuthorizeSecurityGroupIngress). Without a VPC it is made in the default one. May be repeated, also when
    /// an answer was lost: a group's name is unique in its VPC.
    ///
    /// A group of that name that does not carry the machine's tags is the error `InvalidGroup.Duplicate`.
    pub async fn ensure(
        &self,
        machine: &Machine,
        cidr: Cidr,
        vpc: Option<&str>,
    ) -> Result<SecurityGroupId, AwsError> {
        let id = match self.create(machine, vpc).await {
            Ok(id) => id,
            Err(error) if error.is("InvalidGroup.Duplicate") => {
                self.existing(machine, vpc, error).await?
            }
            Err(error) => return Err(error),
        };
        self.let_in(&id, cidr).await?;
        Ok(id)
    }

    /// The groups that carry the machine's tag: how one is found whose creation was never answered.
    pub async fn find(&self, machine: &MachineId) -> Result<Vec<SecurityGroupId>, AwsError> {
        let found = self.describe(vec![self.ours(), of(machine)]).await?;
        Ok(found
            .iter()
            .filter_map(listed)
            .map(|group| group.id)
            .collect())
    }

    /// Every group of this deployment (DescribeSecurityGroups, all pages).
    pub async fn list(&self) -> Result<Vec<ListedGroup>, AwsError> {
        let found = self.describe(vec![self.ours()]).await?;
        Ok(found.iter().filter_map(listed).collect())
    }

    /// Deletes a group (DeleteSecurityGroup).
    pub async fn delete(&self, id: &SecurityGroupId) -> Result<Deleted, AwsError> {
        let answer = self
            .client
            .delete_security_group()
            .group_id(id.as_str())
            .send()
            .await
            .map_err(|error| AwsError::new("DeleteSecurityGroup", error));
        match answer {
            Ok(_) => Ok(Deleted::Gone),
            Err(error) if error.is("InvalidGroup.NotFound") => Ok(Deleted::Gone),
            Err(error) if error.is("DependencyViolation") || error.is("InvalidGroup.InUse") => {
                Ok(Deleted::InUse)
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes the machine's own group: the one its record names, or whatever carries its tag. Answers whether
    /// it is gone.
    pub async fn delete_of(&self, machine: &Machine) -> Result<bool, AwsError> {
        let known = machine
            .own_group
            .as_ref()
            .and_then(|group| group.id.clone());
        let groups = match known {
            Some(id) => vec![id],
            None => self.find(&machine.id).await?,
        };
        let mut is_gone = true;
        for id in &groups {
            is_gone &= self.delete(id).await? == Deleted::Gone;
        }
        Ok(is_gone)
    }

    async fn create(
        &self,
        machine: &Machine,
        vpc: Option<&str>,
    ) -> Result<SecurityGroupId, AwsError> {
        const OPERATION: &str = "CreateSecurityGroup";
        let answer = self
            .client
            .create_security_group()
            .group_name(group_name(&machine.id))
            .description(format!("Own group of Haulout machine {}", machine.id))
            .set_vpc_id(vpc.map(str::to_owned))
            .tag_specifications(self.tags(machine))
            .send()
            .await
            .map_err(|error| AwsError::new(OPERATION, error))?;
        answer
            .group_id()
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| AwsError::incomplete(OPERATION, "a group id"))
    }

    /// The group that stood in the way of making one, if it is the machine's.
    async fn existing(
        &self,
        machine: &Machine,
        vpc: Option<&str>,
        duplicate: AwsError,
    ) -> Result<SecurityGroupId, AwsError> {
        let mut filters = vec![filter("group-name", &group_name(&machine.id))];
        filters.extend(vpc.map(|vpc| filter("vpc-id", vpc)));
        let found = self.describe(filters).await?;
        if found.is_empty() {
            // Descriptions lag behind.
            return Err(AwsError::incomplete(
                "DescribeSecurityGroups",
                "a group that exists",
            ));
        }
        found
            .iter()
            .filter(|group| tag(group, TAG_DEPLOYMENT) == Some(self.deployment.as_str()))
            .filter_map(listed)
            .find(|group| group.machine.as_ref() == Some(&machine.id))
            .map(|group| group.id)
            .ok_or(duplicate)
    }

    /// EC2 takes all rules of a call or none: where one is there already, each is asked for by itself.
    async fn let_in(&self, id: &SecurityGroupId, cidr: Cidr) -> Result<(), AwsError> {
        if self.authorize(id, cidr, &PORTS).await? {
            return Ok(());
        }
        for port in PORTS {
            self.authorize(id, cidr, &[port]).await?;
        }
        Ok(())
    }

    /// Answers false, and nothing is changed, when there is such a rule already.
    async fn authorize(
        &self,
        id: &SecurityGroupId,
        cidr: Cidr,
        ports: &[i32],
    ) -> Result<bool, AwsError> {
        let permissions = ports.iter().map(|port| permission(*port, cidr)).collect();
        let answer = self
            .client
            .authorize_security_group_ingress()
            .group_id(id.as_str())
            .set_ip_permissions(Some(permissions))
            .send()
            .await
            .map_err(|error| AwsError::new("AuthorizeSecurityGroupIngress", error));
        match answer {
            Ok(_) => Ok(true),
            Err(error) if error.is("InvalidPermission.Duplicate") => Ok(false),
            Err(mut error) => {
                // A new group is not known everywhere at once.
                if error.is("InvalidGroup.NotFound") {
                    error.meaning = Meaning::Unavailable;
                }
                Err(error)
            }
        }
    }

    async fn describe(&self, filters: Vec<Filter>) -> Result<Vec<SecurityGroup>, AwsError> {
        self.client
            .describe_security_groups()
            .set_filters(Some(filters))
            .max_results(1_000)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| AwsError::new("DescribeSecurityGroups", error))
    }

    fn ours(&self) -> Filter {
        filter(&format!("tag:{TAG_DEPLOYMENT}"), &self.deployment)
    }

    fn tags(&self, machine: &Machine) -> TagSpecification {
        let tags = [
            (TAG_NAME, machine.name.as_str()),
            (TAG_MANAGED_BY, MANAGED_BY),
            (TAG_DEPLOYMENT, &self.deployment),
            (TAG_MACHINE, machine.id.as_str()),
        ]
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
        TagSpecification::builder()
            .resource_type(ResourceType::SecurityGroup)
            .set_tags(Some(tags.into()))
            .build()
    }
}

fn permission(port: i32, cidr: Cidr) -> IpPermission {
    const DESCRIPTION: &str = "asked for at the launch";
    let rule = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(port)
        .to_port(port);
    if cidr.is_ipv6() {
        let range = Ipv6Range::builder()
            .cidr_ipv6(cidr.to_string())
            .description(DESCRIPTION)
            .build();
        rule.ipv6_ranges(range).build()
    } else {
        let range = IpRange::builder()
            .cidr_ip(cidr.to_string())
            .description(DESCRIPTION)
            .build();
        rule.ip_ranges(range).build()
    }
}

fn listed(group: &SecurityGroup) -> Option<ListedGroup> {
    Some(ListedGroup {
        id: group.group_id()?.parse().ok()?,
        name: group.group_name().unwrap_or_default().to_owned(),
        machine: tag(group, TAG_MACHINE).and_then(|id| id.parse().ok()),
    })
}

fn tag<'a>(group: &'a SecurityGroup, key: &str) -> Option<&'a str> {
    group
        .tags()
        .iter()
        .find(|tag| tag.key() == Some(key))
        .and_then(Tag::value)
}

fn of(machine: &MachineId) -> Filter {
    filter(&format!("tag:{TAG_MACHINE}"), machine.as_str())
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}
