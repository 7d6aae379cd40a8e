//! The catalog: images, subnets and prices, asked for seldom, and known when AWS does not answer.

use std::time::Duration;

use haulout_aws::{catalog::Catalog, clock::Clock, error::AwsError};
use haulout_domain::{
    aws_code::Meaning,
    image::ImageKind,
    launch::{AmiId, InstanceType, SubnetId},
    status::Architecture,
};
use haulout_local::sim::{Image, SpotPrice};
use haulout_tests::{
    call::{Refusal, Service},
    faults::{CallFault, Trouble},
    settings::Settings,
    world::World,
};

use super::{action, canned};

pub(super) const X86: &str = "ami-0a1b2c3d4e5f60001";
const ARM: &str = "ami-0a1b2c3d4e5f60002";
const NEWER: &str = "ami-0a1b2c3d4e5f6beef";
const SUBNETS: [&str; 2] = ["subnet-0a1b2c3d4e5f6000a", "subnet-0a1b2c3d4e5f6000b"];
const DAY: Duration = Duration::from_hours(24);

/// A catalog as a process of its own has it.
pub(super) fn catalog(world: &World) -> Catalog {
    let clock = world.clock.clone();
    let clock = Clock::from_fn(move || clock.now());
    Catalog::new(world.sdk_config(), world.store.clone(), clock)
}

/// The newest Amazon Linux, asked for where faults strike.
async fn newest(world: &World, catalog: &Catalog) -> Result<String, AwsError> {
    let ask = || catalog.newest(ImageKind::AmazonLinux, Architecture::X86);
    world.invoke("test", ask).await.unwrap().map(String::from)
}

fn refuse(world: &World, service: Service, name: &str, refusal: Refusal) {
    let trouble = Trouble::Refused(refusal);
    world
        .faults
        .arm(CallFault::new("", &action(service, name), trouble));
}

pub(super) fn calls(world: &World, service: &str, action: &str) -> u64 {
    world.sim.state().calls_of(service, action)
}

/// A release newer than all there were.
fn publish(world: &World) {
    let mut images = Image::seeded();
    for image in &mut images {
        image.parameter = None;
    }
    images.push(Image::amazon_linux(
        NEWER,
        "x86_64",
        "2023.9.20251201.0",
        true,
    ));
    world.sim.set_images(images);
}

#[tokio::test]
async fn the_newest_image_is_asked_for_once_a_day() {
    let world = World::start(Settings::default()).await;
    let (one, two) = (catalog(&world), catalog(&world));
    assert_eq!(newest(&world, &one).await.unwrap(), X86);
    let arm = one.newest(ImageKind::AmazonLinux, Architecture::Arm).await;
    assert_eq!(arm.unwrap().as_str(), ARM);
    publish(&world);
    world.jump(Duration::from_secs(24 * 3_600 - 1));
    for catalog in [&one, &two] {
        assert_eq!(newest(&world, catalog).await.unwrap(), X86);
    }
    assert_eq!(calls(&world, "ssm", "GetParameter"), 2);
    world.jump(Duration::from_secs(1));
    for catalog in [&one, &two] {
        assert_eq!(newest(&world, catalog).await.unwrap(), NEWER);
    }
    assert_eq!(calls(&world, "ssm", "GetParameter"), 3);
    assert_eq!(calls(&world, "ec2", "DescribeImages"), 0);
}

#[tokio::test]
async fn without_its_parameter_an_image_is_found_by_name() {
    for refusal in [
        Refusal::AccessDenied,
        Refusal::ServerError,
        Refusal::Code("ParameterNotFound"),
    ] {
        let world = World::start(Settings::default()).await;
        let catalog = catalog(&world);
        refuse(&world, Service::Ssm, "GetParameter", refusal);
        assert_eq!(newest(&world, &catalog).await.unwrap(), X86, "{refusal:?}");
        assert_eq!(newest(&world, &catalog).await.unwrap(), X86);
        assert_eq!(calls(&world, "ec2", "DescribeImages"), 1);
        for (kind, architecture, expected) in [
            (ImageKind::AmazonLinux, Architecture::Arm, ARM),
            (
                ImageKind::DeepLearning,
                Architecture::X86,
                "ami-0a1b2c3d4e5f60007",
            ),
        ] {
            let ask = || catalog.newest(kind, architecture);
            let found = world.invoke("test", ask).await.unwrap().unwrap();
            assert_eq!(found.as_str(), expected);
        }
    }
}

#[tokio::test]
async fn a_throttled_catalog_does_not_take_to_another_action() {
    let world = World::start(Settings::default()).await;
    refuse(&world, Service::Ssm, "GetParameter", Refusal::Throttled);
    let error = newest(&world, &catalog(&world)).await.unwrap_err();
    assert_eq!(error.meaning, Meaning::Throttled, "{error}");
    assert_eq!(calls(&world, "ec2", "DescribeImages"), 0);
}

#[tokio::test]
async fn where_there_is_no_image_the_parameter_is_what_was_not_found() {
    let world = World::start(Settings::default()).await;
    world.sim.set_images(Vec::new());
    let error = newest(&world, &catalog(&world)).await.unwrap_err();
    assert!(error.is("ParameterNotFound"), "{error}");
    // Of two refusals the one that may pass counts.
    refuse(&world, Service::Ec2, "DescribeImages", Refusal::ServerError);
    let error = newest(&world, &catalog(&world)).await.unwrap_err();
    assert_eq!(error.meaning, Meaning::Unavailable, "{error}");
    world.faults.clear();
    refuse(
        &world,
        Service::Ec2,
        "DescribeImages",
        Refusal::AccessDenied,
    );
    let error = newest(&world, &catalog(&world)).await.unwrap_err();
    assert!(error.is("ParameterNotFound"), "{error}");
}

#[tokio::test]
async fn an_old_answer_is_used_for_a_week_while_aws_gives_none() {
    let world = World::start(Settings::default()).await;
    let first = catalog(&world);
    newest(&world, &first).await.unwrap();
    publish(&world);
    world.jump(3 * DAY);
    refuse(&world, Service::Ssm, "GetParameter", Refusal::ServerError);
    refuse(&world, Service::Ec2, "DescribeImages", Refusal::ServerError);
    for catalog in [&first, &catalog(&world)] {
        assert_eq!(newest(&world, catalog).await.unwrap(), X86);
    }
    world.jump(4 * DAY);
    for catalog in [&first, &catalog(&world)] {
        let error = newest(&world, catalog).await.unwrap_err();
        assert_eq!(error.meaning, Meaning::Unavailable, "{error}");
    }
    world.faults.clear();
    assert_eq!(newest(&world, &first).await.unwrap(), NEWER);
}

#[tokio::test]
async fn a_refusal_for_good_is_not_hidden_by_an_old_answer() {
    let world = World::start(Settings::default()).await;
    let catalog = catalog(&world);
    let id: AmiId = X86.parse().unwrap();
    catalog.image(&id).await.unwrap();
    world.jump(DAY);
    world.sim.set_images(Vec::new());
    let error = catalog.image(&id).await.unwrap_err();
    assert!(error.is("InvalidAMIID.NotFound"), "{error}");
}

#[tokio::test]
async fn an_images_facts_are_read_once() {
    let world = World::start(Settings::default()).await;
    let id: AmiId = "ami-0a1b2c3d4e5f60008".parse().unwrap();
    for catalog in [catalog(&world), catalog(&world)] {
        let facts = catalog.image(&id).await.unwrap();
        assert_eq!(facts.id, id);
        assert!(facts.name.starts_with("Deep Learning"), "{facts:?}");
        assert_eq!(facts.architecture, Some(Architecture::Arm));
        assert_eq!(facts.root_device.as_deref(), Some("/dev/xvda"));
        assert_eq!(facts.root_gib, Some(75));
        assert_eq!(catalog.image(&id).await.unwrap(), facts);
    }
    assert_eq!(calls(&world, "ec2", "DescribeImages"), 1);
    let unknown: AmiId = NEWER.parse().unwrap();
    for _ in 0..2 {
        let error = catalog(&world).image(&unknown).await.unwrap_err();
        assert!(error.is("InvalidAMIID.NotFound"), "{error}");
        assert!(!error.is_transient());
    }
    publish(&world);
    catalog(&world).image(&unknown).await.unwrap();
}

#[tokio::test]
async fn a_cache_that_does_not_work_is_done_without() {
    let world = World::start(Settings::default()).await;
    let (one, two) = (catalog(&world), catalog(&world));
    for name in ["GetItem", "PutItem", "UpdateItem"] {
        refuse(
            &world,
            Service::DynamoDb,
            name,
            Refusal::Code("ResourceNotFoundException"),
        );
    }
    for catalog in [&one, &one, &two] {
        assert_eq!(newest(&world, catalog).await.unwrap(), X86);
    }
    assert!(world.faults.struck() >= 4);
    assert_eq!(calls(&world, "ssm", "GetParameter"), 2);
}

#[tokio::test]
async fn subnets_are_known_for_a_day_in_any_order() {
    let world = World::start(Settings::default()).await;
    let [a, b] = SUBNETS.map(|id| id.parse::<SubnetId>().unwrap());
    assert!(catalog(&world).subnets(&[]).await.unwrap().is_empty());
    for order in [
        [a.clone(), b.clone()],
        [b.clone(), a.clone()],
        [a.clone(), b.clone()],
    ] {
        let known = catalog(&world).subnets(&order).await.unwrap();
        assert_eq!(known.len(), 2);
        assert_eq!(known[&a].zone, "us-east-1a");
        assert_eq!(known[&b].zone, "us-east-1b");
        assert!(known[&a].vpc_id.starts_with("vpc-"));
    }
    assert_eq!(calls(&world, "ec2", "DescribeSubnets"), 1);
    let unknown = "subnet-0123456789abcdef0".parse().unwrap();
    let error = catalog(&world).subnets(&[a, unknown]).await.unwrap_err();
    assert!(error.is("InvalidSubnetID.NotFound"), "{error}");
}

fn price(zone: &str, usd: &str) -> SpotPrice {
    SpotPrice {
        zone: zone.to_owned(),
        instance_type: "t3.medium".to_owned(),
        price: usd.parse().unwrap(),
    }
}

#[tokio::test]
async fn spot_prices_are_those_of_the_last_five_minutes() {
    let world = World::start(Settings::default()).await;
    let types: [InstanceType; 1] = ["t3.medium".parse().unwrap()];
    let zones = ["us-east-1a", "us-east-1b"].map(str::to_owned);
    let key = |zone: &str| (types[0].clone(), zone.to_owned());
    world
        .sim
        .set_spot_prices(vec![price("*", "0.02"), price("us-east-1b", "0.0125")]);
    let prices = catalog(&world).spot_prices(&types, &zones).await;
    assert_eq!(
        prices,
        [(key("us-east-1a"), 0.02), (key("us-east-1b"), 0.0125)].into()
    );
    world.sim.set_spot_prices(vec![price("*", "0.03")]);
    world.jump(Duration::from_secs(299));
    assert_eq!(catalog(&world).spot_prices(&types, &zones).await, prices);
    // Another zone of the same types is no further question.
    let third = ["us-east-1c".to_owned()];
    let prices = catalog(&world).spot_prices(&types, &third).await;
    assert_eq!(prices, [(key("us-east-1c"), 0.02)].into());
    assert_eq!(calls(&world, "ec2", "DescribeSpotPriceHistory"), 1);
    world.jump(Duration::from_secs(1));
    let prices = catalog(&world).spot_prices(&types, &third).await;
    assert_eq!(prices, [(key("us-east-1c"), 0.03)].into());
    assert!(catalog(&world).spot_prices(&[], &zones).await.is_empty());
    assert_eq!(calls(&world, "ec2", "DescribeSpotPriceHistory"), 2);
}

#[tokio::test]
async fn prices_that_cannot_be_had_are_not_known() {
    let world = World::start(Settings::default()).await;
    let types = ["t3.medium".parse().unwrap()];
    let zones = ["us-east-1a".to_owned()];
    let catalog = catalog(&world);
    for refusal in [
        Refusal::AccessDenied,
        Refusal::Throttled,
        Refusal::ServerError,
    ] {
        refuse(&world, Service::Ec2, "DescribeSpotPriceHistory", refusal);
        let ask = || catalog.spot_prices(&types, &zones);
        let prices = world.invoke("test", ask).await.unwrap();
        assert!(prices.is_empty(), "{refusal:?}");
        world.faults.clear();
    }
    assert_eq!(catalog.spot_prices(&types, &zones).await.len(), 1);
}

#[tokio::test]
async fn of_several_prices_the_last_one_counts() {
    let world = World::start(Settings::default()).await;
    let row = |day: u32, usd: &str| {
        format!(
            "<item><instanceType>t3.medium</instanceType><productDescription>Linux/UNIX</productDescription>\
             <spotPrice>{usd}</spotPrice><timestamp>2025-12-{day}T00:00:00.000Z</timestamp>\
             <availabilityZone>us-east-1a</availabilityZone></item>"
        )
    };
    let config = canned::sdk_config(world.sdk_config(), move |form| {
        assert!(form.contains("ProductDescription.1=Linux%2FUNIX"), "{form}");
        // On two pages, the last one in the middle.
        let (rows, next) = if form.contains("NextToken=more") {
            (row(20, "0.03"), "")
        } else {
            (row(10, "0.01") + &row(30, "0.02"), "more")
        };
        format!(
            "<DescribeSpotPriceHistoryResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><spotPriceHistorySet>{rows}\
             </spotPriceHistorySet><nextToken>{next}</nextToken></DescribeSpotPriceHistoryResponse>"
        )
    });
    let clock = world.clock.clone();
    let clock = Clock::from_fn(move || clock.now());
    let catalog = Catalog::new(&config, world.store.clone(), clock);
    let (types, zones) = (["t3.medium".parse().unwrap()], ["us-east-1a".to_owned()]);
    let prices: Vec<f64> = catalog
        .spot_prices(&types, &zones)
        .await
        .into_values()
        .collect();
    assert_eq!(prices, [0.02]);
}
