//! What a launch becomes: precedence of request, template and defaults, the order of places, and the limits.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    aws_code::FailOver,
    failure::{Failure, FailureCode},
    guard::GuardRails,
    image::ImageFacts,
    launch::{InstanceType, SubnetId},
    machine::{LaunchSpec, Machine},
    offer::{self, Offer, Places, Tried},
    plan::{ImageChoice, LaunchDefaults, LaunchPlan, TemplateFacts},
    status::{Architecture, Desired, Market, OnFailure, Status, VolumeType},
    test_machines::{self, at},
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn it(text: &str) -> InstanceType {
    text.parse().expect("an instance type")
}

fn subnet(last: char) -> SubnetId {
    format!("subnet-0123456{last}")
        .parse()
        .expect("a subnet id")
}

fn defaults() -> LaunchDefaults {
    LaunchDefaults {
        instance_types: vec![it("t3.medium"), it("t3.large"), it("t4g.medium")],
        subnets: vec![subnet('a'), subnet('b')],
        key_name: "team".parse().ok(),
        instance_profile: Some("arn:aws:iam::1:instance-profile/haulout".to_owned()),
        ..LaunchDefaults::default()
    }
}

fn template() -> TemplateFacts {
    TemplateFacts {
        id: "lt-01234567".parse().expect("a template id"),
        version: 7,
        ami: "ami-0000000a".parse().ok(),
        instance_type: Some(it("m5.large")),
        security_group_ids: vec!["sg-0000000a".parse().expect("a group id")],
        has_interfaces: false,
        has_subnet: true,
        volume_gib: Some(30),
        requires_imds_v2: false,
        is_spot: false,
    }
}

fn image(architecture: Architecture, root_gib: u32) -> ImageFacts {
    ImageFacts {
        id: "ami-0000000b".parse().expect("an AMI id"),
        name: "al2023-ami-2023.9-kernel-6.1".to_owned(),
        architecture: Some(architecture),
        root_device: Some("/dev/xvda".to_owned()),
        root_gib: Some(root_gib),
    }
}

fn zones() -> Places {
    Places {
        zones: BTreeMap::from([
            (subnet('a'), "us-east-1a".to_owned()),
            (subnet('b'), "us-east-1b".to_owned()),
        ]),
        ..Places::default()
    }
}

fn offers(spec: &LaunchSpec, template: Option<&TemplateFacts>, places: &Places) -> Vec<String> {
    let defaults = defaults();
    let basis = spec.basis(template, &defaults).expect("a basis");
    offer::offers(spec, &basis, template, &defaults, places)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn plan(
    spec: &LaunchSpec,
    template: Option<&TemplateFacts>,
    image: &ImageFacts,
    defaults: &LaunchDefaults,
) -> Result<LaunchPlan, Failure> {
    let basis = spec.basis(template, defaults)?;
    let offers = offer::offers(spec, &basis, template, defaults, &zones());
    let offer = offer::next(offers, &[])?;
    LaunchPlan::new(spec, &basis, offer, template, Some(image), defaults)
}

#[test]
fn what_the_request_names_comes_before_template_and_defaults() {
    let template = template();
    let basis = |spec: &LaunchSpec, template| spec.basis(template, &defaults()).expect("a basis");

    let nothing = LaunchSpec::default();
    assert_eq!(
        basis(&nothing, None).instance_types,
        [it("t3.medium"), it("t3.large")]
    );
    assert_eq!(basis(&nothing, None).image, ImageChoice::Newest);
    let by_template = basis(&nothing, Some(&template));
    assert_eq!(by_template.instance_types, []);
    assert_eq!(by_template.known_type, Some(it("m5.large")));
    assert!(matches!(by_template.image, ImageChoice::Templates(_)));

    let named = LaunchSpec {
        instance_type: Some(it("c5.large")),
        ami: "ami-0000000c".parse().ok(),
        ..LaunchSpec::default()
    };
    let over_template = basis(&named, Some(&template));
    assert_eq!(over_template.instance_types, [it("c5.large")]);
    assert!(matches!(over_template.image, ImageChoice::Named(_)));
}

#[test]
fn another_architecture_than_the_templates_gets_type_and_image_of_its_own() {
    let arm = LaunchSpec {
        architecture: Some(Architecture::Arm),
        ..LaunchSpec::default()
    };
    let template = template();
    let basis = arm.basis(Some(&template), &defaults()).expect("a basis");
    assert_eq!(basis.instance_types, [it("t4g.medium")]);
    assert_eq!(basis.image, ImageChoice::Newest);
    let named_type = LaunchSpec {
        instance_type: Some(it("t4g.micro")),
        ..LaunchSpec::default()
    };
    let basis = named_type
        .basis(Some(&template), &defaults())
        .expect("a basis");
    assert_eq!(basis.image, ImageChoice::Newest);
    assert_eq!(basis.architecture, Architecture::Arm);
}

#[test]
fn a_type_that_does_not_fit_architecture_or_image_is_refused() {
    let spec = LaunchSpec {
        architecture: Some(Architecture::Arm),
        instance_type: Some(it("t3.micro")),
        ..LaunchSpec::default()
    };
    let failure = spec.basis(None, &defaults()).expect_err("a mismatch");
    assert!(failure.message.contains("t3.micro is x86_64"), "{failure}");

    let spec = LaunchSpec::default();
    let failure =
        plan(&spec, None, &image(Architecture::Arm, 8), &defaults()).expect_err("a mismatch");
    assert_eq!(failure.code, "ami_invalid");
}

#[test]
fn a_launch_without_template_gets_volume_profile_key_and_imds_v2() {
    let spec = LaunchSpec::default();
    let made = plan(&spec, None, &image(Architecture::X86, 8), &defaults()).expect("a plan");
    let root = made.root.expect("a root volume");
    assert_eq!((root.gib, root.volume_type), (20, VolumeType::Gp3));
    assert!(made.require_imds_v2 && made.instance_profile.is_some());
    assert_eq!(made.key_name, defaults().key_name);
    assert_eq!(made.login_user.as_deref(), Some("ec2-user"));

    let large = plan(&spec, None, &image(Architecture::X86, 75), &defaults()).expect("a plan");
    assert_eq!(large.root.map(|root| root.gib), Some(75));
}

#[test]
fn a_template_decides_what_nobody_overrides() {
    let template = template();
    let spec = LaunchSpec::default();
    let image = image(Architecture::X86, 8);
    let made = plan(&spec, Some(&template), &image, &defaults()).expect("a plan");
    assert_eq!(made.template.map(|(_, version)| version), Some(7));
    assert_eq!(
        (made.ami, made.instance_type, made.root),
        (None, None, None)
    );
    assert_eq!((made.key_name, made.instance_profile), (None, None));
    assert_eq!(made.offer.subnet_id, None);
    assert!(made.require_imds_v2, "the template does not ask for it");

    let larger = LaunchSpec {
        storage_gb: Some(100),
        ..LaunchSpec::default()
    };
    let made = plan(&larger, Some(&template), &image, &defaults()).expect("a plan");
    assert_eq!(made.root.map(|root| root.gib), Some(100));
}

#[test]
fn an_own_group_stands_beside_the_templates() {
    let spec = LaunchSpec {
        own_group_cidr: "203.0.113.7/32".parse().ok(),
        ..LaunchSpec::default()
    };
    let template = template();
    let made = plan(
        &spec,
        Some(&template),
        &image(Architecture::X86, 8),
        &defaults(),
    )
    .expect("a plan");
    assert_eq!(made.security_group_ids, template.security_group_ids);

    let with_interfaces = TemplateFacts {
        has_interfaces: true,
        ..template
    };
    let failure = spec
        .ensure_combinable(Some(&with_interfaces))
        .expect_err("interfaces exclude groups");
    assert!(
        failure.message.contains("create_security_group"),
        "{failure}"
    );
}

#[test]
fn a_volume_smaller_than_the_image_is_refused() {
    let spec = LaunchSpec {
        storage_gb: Some(8),
        ..LaunchSpec::default()
    };
    let failure =
        plan(&spec, None, &image(Architecture::X86, 75), &defaults()).expect_err("too small");
    assert!(failure.message.contains("at least 75"), "{failure}");
}

#[test]
fn the_guard_rails_hold_for_what_is_launched() {
    let defaults = LaunchDefaults {
        guard_rails: GuardRails {
            instance_types: vec![it("t3.micro")],
            ..GuardRails::default()
        },
        ..defaults()
    };
    let failure = plan(
        &LaunchSpec::default(),
        Some(&template()),
        &image(Architecture::X86, 8),
        &defaults,
    )
    .expect_err("the template's type is not allowed");
    assert_eq!(failure.code, "guard_rail");
}

#[test]
fn a_template_that_asks_for_spot_by_itself_is_held_to_the_allowed_markets() {
    let rails = GuardRails {
        markets: vec![Market::OnDemand],
        ..GuardRails::default()
    };
    assert!(rails.concern_templates());
    let defaults = LaunchDefaults {
        guard_rails: rails,
        ..defaults()
    };
    let plan = |is_spot| {
        let template = TemplateFacts {
            is_spot,
            ..template()
        };
        let (spec, image) = (LaunchSpec::default(), image(Architecture::X86, 8));
        plan(&spec, Some(&template), &image, &defaults).map_err(|failure| failure.code)
    };
    assert!(plan(false).is_ok());
    assert_eq!(plan(true).unwrap_err(), "guard_rail");
}

#[test]
fn places_are_tried_in_order_and_the_cheapest_spot_zone_first() {
    let spec = LaunchSpec::default();
    assert_eq!(
        offers(&spec, None, &zones()),
        [
            "t3.medium on-demand in us-east-1a",
            "t3.medium on-demand in us-east-1b",
            "t3.large on-demand in us-east-1a",
            "t3.large on-demand in us-east-1b",
        ]
    );
    let mut places = zones();
    places.spot_prices = BTreeMap::from([
        ((it("t3.medium"), "us-east-1a".to_owned()), 0.02),
        ((it("t3.medium"), "us-east-1b".to_owned()), 0.01),
    ]);
    let spot = LaunchSpec {
        market: Market::Spot,
        fallback_to_on_demand: true,
        instance_type: Some(it("t3.medium")),
        ..LaunchSpec::default()
    };
    assert_eq!(
        offers(&spot, None, &places),
        [
            "t3.medium spot in us-east-1b",
            "t3.medium spot in us-east-1a",
            "t3.medium on-demand in us-east-1a",
            "t3.medium on-demand in us-east-1b",
        ]
    );
}

#[test]
fn what_was_just_refused_to_others_comes_last() {
    let mut places = zones();
    places.avoided = vec![Offer {
        market: Market::OnDemand,
        instance_type: Some(it("t3.medium")),
        subnet_id: Some(subnet('a')),
        zone: Some("us-east-1a".to_owned()),
    }];
    let spec = LaunchSpec {
        instance_type: Some(it("t3.medium")),
        ..LaunchSpec::default()
    };
    assert_eq!(
        offers(&spec, None, &places),
        [
            "t3.medium on-demand in us-east-1b",
            "t3.medium on-demand in us-east-1a",
        ]
    );
}

#[test]
fn what_was_refused_is_not_tried_again_and_the_end_says_what_was_tried() {
    let offer = |market, last| Offer {
        market,
        instance_type: Some(it("t3.medium")),
        subnet_id: Some(subnet(last)),
        zone: None,
    };
    let capacity = |offer: Offer| {
        Tried::new(
            offer,
            "InsufficientInstanceCapacity",
            FailOver::Elsewhere,
            FailureCode::InsufficientCapacity,
            NOW,
        )
    };
    let all = vec![
        offer(Market::Spot, 'a'),
        offer(Market::Spot, 'b'),
        offer(Market::OnDemand, 'a'),
    ];
    let mut tried = vec![capacity(all[0].clone())];
    assert_eq!(offer::next(all.clone(), &tried), Ok(all[1].clone()));
    // A limit on spot instances holds in every zone.
    tried.push(Tried::new(
        all[1].clone(),
        "MaxSpotInstanceCountExceeded",
        FailOver::OtherMarket,
        FailureCode::LimitExceeded,
        NOW,
    ));
    assert_eq!(offer::next(all.clone(), &tried), Ok(all[2].clone()));
    let failure = offer::next(all[..2].to_vec(), &tried[..1]).map(|offer| offer.subnet_id);
    assert_eq!(failure, Ok(Some(subnet('b'))));

    let spot_only = [capacity(all[0].clone())];
    let failure = offer::next(all[..1].to_vec(), &spot_only).expect_err("exhausted");
    assert_eq!(failure.code, "spot_capacity_not_available");
    assert!(failure.message.contains("t3.medium spot"), "{failure}");
}

/// A machine whose only offer was refused.
fn refused_everywhere(after_launch: bool) -> Machine {
    let mut machine = test_machines::machine(true, OnFailure::Terminate);
    machine.launch_requested(at(1));
    let offer = Offer {
        market: Market::OnDemand,
        instance_type: Some(it("t3.medium")),
        subnet_id: None,
        zone: None,
    };
    let code = FailureCode::InsufficientCapacity;
    let tried = Tried::new(
        offer,
        "InsufficientInstanceCapacity",
        FailOver::Elsewhere,
        code,
        at(2),
    );
    let tried = if after_launch {
        tried.after_launch()
    } else {
        tried
    };
    assert!(machine.refused(tried, at(2)));
    let failure = offer::next(Vec::new(), &machine.tried).expect_err("exhausted");
    machine.fail(failure, at(3));
    machine
}

#[test]
fn a_machine_that_ec2_refused_everywhere_is_over_at_once() {
    let machine = refused_everywhere(false);
    assert_eq!(
        (machine.status, machine.closed_at),
        (Status::Failed, Some(at(3)))
    );
}

#[test]
fn one_whose_instance_ec2_ended_again_is_over_when_that_is_gone() {
    let machine = refused_everywhere(true);
    assert_eq!(
        (machine.status, machine.desired, machine.closed_at),
        (Status::Failed, Desired::Terminated, None)
    );
}
