//! The catalog's view of launch templates.

use std::time::Duration;

use aws_sdk_ec2::types::RequestLaunchTemplateData;
use haulout_aws::{catalog::Catalog, clock::Clock};
use haulout_domain::{aws_code::Meaning, failure::FailureCode, launch::LaunchTemplateId};
use haulout_local::sim::{LAUNCH_TEMPLATE_ID, LaunchTemplateSeed};
use haulout_tests::{settings::Settings, world::World};

use super::{
    canned,
    catalog::{X86, calls, catalog},
};

const OTHER: &str = "lt-0a1b2c3d4e5f6beef";

fn seed(data: &[(&str, &str)]) -> LaunchTemplateSeed {
    LaunchTemplateSeed {
        id: OTHER.to_owned(),
        name: "another".to_owned(),
        data: data
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

async fn world_with(data: &[(&str, &str)]) -> World {
    let mut settings = Settings::default();
    settings.sim.launch_templates.push(seed(data));
    World::start(settings).await
}

#[tokio::test]
async fn a_templates_default_version_is_read_once_a_minute() {
    let world = World::start(Settings::default()).await;
    let catalog = catalog(&world);
    let id: LaunchTemplateId = LAUNCH_TEMPLATE_ID.parse().unwrap();
    let facts = catalog.template(&id).await.unwrap();
    assert_eq!(facts.id, id);
    assert_eq!(facts.version, 1);
    assert_eq!(facts.ami, X86.parse().ok());
    assert_eq!(facts.instance_type, "t3.medium".parse().ok());
    assert_eq!(
        facts.security_group_ids,
        ["sg-0a1b2c3d4e5f60001".parse().unwrap()]
    );
    assert_eq!(facts.volume_gib, Some(30));
    assert!(facts.requires_imds_v2);
    assert!(!facts.has_interfaces && !facts.has_subnet && !facts.is_spot);

    let ec2 = aws_sdk_ec2::Client::new(world.sdk_config());
    let data = RequestLaunchTemplateData::builder().instance_type("t3.large".into());
    ec2.create_launch_template_version()
        .launch_template_id(LAUNCH_TEMPLATE_ID)
        .launch_template_data(data.build())
        .send()
        .await
        .unwrap();
    world.jump(Duration::from_mins(1));
    // The latest version is not the default one.
    assert_eq!(catalog.template(&id).await.unwrap(), facts);
    ec2.modify_launch_template()
        .launch_template_id(LAUNCH_TEMPLATE_ID)
        .default_version("2")
        .send()
        .await
        .unwrap();
    world.jump(Duration::from_secs(59));
    assert_eq!(catalog.template(&id).await.unwrap(), facts);
    world.jump(Duration::from_secs(1));
    let changed = catalog.template(&id).await.unwrap();
    assert_eq!(changed.version, 2);
    assert_eq!((changed.ami, changed.volume_gib), (None, None));
    assert!(changed.security_group_ids.is_empty() && !changed.requires_imds_v2);
    assert_eq!(calls(&world, "ec2", "DescribeLaunchTemplateVersions"), 3);
}

#[tokio::test]
async fn interfaces_and_the_spot_market_are_seen() {
    let world = world_with(&[
        ("InstanceType", "c7g.large"),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.SubnetId", "subnet-0a1b2c3d4e5f6000b"),
        (
            "NetworkInterface.1.SecurityGroupId.1",
            "sg-0a1b2c3d4e5f60001",
        ),
        ("InstanceMarketOptions.MarketType", "spot"),
        ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.Ebs.VolumeSize", "10"),
        ("BlockDeviceMapping.2.DeviceName", "/dev/sdf"),
        ("BlockDeviceMapping.2.Ebs.VolumeSize", "200"),
    ])
    .await;
    let facts = catalog(&world)
        .template(&OTHER.parse().unwrap())
        .await
        .unwrap();
    assert!(facts.has_interfaces && facts.has_subnet && facts.is_spot);
    assert!(!facts.requires_imds_v2);
    assert_eq!(facts.ami, None);
    assert_eq!(facts.volume_gib, Some(200));
    assert_eq!(
        facts.security_group_ids,
        ["sg-0a1b2c3d4e5f60001".parse().unwrap()]
    );
}

#[tokio::test]
async fn a_template_that_is_not_there_is_an_error() {
    let world = World::start(Settings::default()).await;
    let error = catalog(&world)
        .template(&OTHER.parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(
        error.meaning,
        Meaning::Final(FailureCode::LaunchTemplateInvalid),
        "{error}"
    );
}

/// A catalog of an EC2 whose template names its AMI by a parameter, which it resolves to this.
fn by_parameter(world: &World, resolved: &'static str) -> Catalog {
    let config = canned::sdk_config(world.sdk_config(), move |form| {
        // EC2 resolves only where one version is asked for by its number.
        let is_resolved = form.contains("ResolveAlias=true");
        let version = if is_resolved { "7" } else { "%24Default" };
        assert!(
            form.contains(&format!("LaunchTemplateVersion.1={version}")),
            "{form}"
        );
        let image = if is_resolved {
            resolved
        } else {
            "resolve:ssm:/images/ours"
        };
        format!(
            "<DescribeLaunchTemplateVersionsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
             <launchTemplateVersionSet><item><launchTemplateId>{OTHER}</launchTemplateId><versionNumber>7</versionNumber>\
             <launchTemplateData><imageId>{image}</imageId></launchTemplateData></item></launchTemplateVersionSet>\
             </DescribeLaunchTemplateVersionsResponse>"
        )
    });
    let clock = world.clock.clone();
    let clock = Clock::from_fn(move || clock.now());
    Catalog::new(&config, world.store.clone(), clock)
}

#[tokio::test]
async fn an_ami_named_by_a_parameter_is_resolved() {
    let world = World::start(Settings::default()).await;
    let id = OTHER.parse().unwrap();
    let facts = by_parameter(&world, X86).template(&id).await.unwrap();
    assert_eq!((facts.version, facts.ami), (7, X86.parse().ok()));
    // Without it, the machine would get another image than the template's.
    let unresolved = by_parameter(&world, "resolve:ssm:/images/ours");
    let error = unresolved.template(&id).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
}
