//! Guard rails and the quota: what a deployment does not allow is refused before anything is written.

use haulout_domain::{guard::GuardRails, plan::LaunchDefaults, status::Market};
use haulout_tests::{
    call::{Refusal, Service},
    gateway::GatewayEvent,
};
use serde_json::json;

use super::support::{ARM_AMI, Machines, X86_AMI, with_template};

/// What AWS's free tier covers, as ec2-creator-local allowed it.
fn free_tier() -> GuardRails {
    GuardRails {
        instance_types: ["t3.micro", "t4g.micro"]
            .map(|it| it.parse().unwrap())
            .to_vec(),
        amis: [X86_AMI, ARM_AMI].map(|it| it.parse().unwrap()).to_vec(),
        ..GuardRails::default()
    }
}

fn ruled(guard_rails: GuardRails) -> LaunchDefaults {
    LaunchDefaults {
        guard_rails,
        ..LaunchDefaults::default()
    }
}

#[tokio::test]
async fn a_type_or_ami_outside_the_free_tier_is_refused_by_name() {
    let machines = Machines::start(ruled(free_tier())).await;
    let (code, detail) = machines
        .refused(&json!({"instance_type": "m5.large", "ami": X86_AMI}), 400)
        .await;
    assert_eq!(code, "guard_rail");
    for words in [
        "instance_type m5.large",
        "AllowedInstanceTypes",
        "t3.micro, t4g.micro",
    ] {
        assert!(detail.contains(words), "{detail}");
    }
    let other = "ami-0a1b2c3d4e5f60009";
    let (code, detail) = machines
        .refused(&json!({"instance_type": "t3.micro", "ami": other}), 400)
        .await;
    assert_eq!(code, "guard_rail");
    for words in [other, "AllowedAmis", X86_AMI] {
        assert!(detail.contains(words), "{detail}");
    }
    assert_eq!(machines.counted("create", "refused_by_guard_rail"), 2);
    // Refused on sight: AWS was not asked anything.
    assert_eq!(machines.world.faults.log().len(), 0);
    machines
        .create(&json!({"instance_type": "t3.micro", "ami": X86_AMI}))
        .await;
}

#[tokio::test]
async fn what_is_chosen_for_a_request_obeys_the_rules_too() {
    let machines = Machines::start(ruled(free_tier())).await;
    // The newest image of the architecture is allowed, the default type is not.
    machines
        .create(&json!({"instance_type": "t4g.micro"}))
        .await;
    let (code, detail) = machines.refused(&json!({}), 400).await;
    assert_eq!(code, "guard_rail");
    assert!(detail.contains("t3.medium"), "{detail}");
    let old = GuardRails {
        amis: vec!["ami-0a1b2c3d4e5f60004".parse().unwrap()],
        ..GuardRails::default()
    };
    let machines = Machines::start(ruled(old)).await;
    let (code, detail) = machines.refused(&json!({}), 400).await;
    assert_eq!(code, "guard_rail");
    assert!(detail.contains(X86_AMI), "{detail}");
}

#[tokio::test]
async fn what_a_template_says_obeys_the_rules_too() {
    let machines = Machines::start(LaunchDefaults {
        guard_rails: free_tier(),
        ..with_template()
    })
    .await;
    let (code, detail) = machines.refused(&json!({}), 400).await;
    assert_eq!(code, "guard_rail");
    assert!(detail.contains("t3.medium"), "{detail}");
    machines.create(&json!({"instance_type": "t3.micro"})).await;
    // Its volume has 30 GiB.
    let small = GuardRails {
        max_volume_gib: Some(29),
        ..GuardRails::default()
    };
    let machines = Machines::start(LaunchDefaults {
        guard_rails: small,
        ..with_template()
    })
    .await;
    let (_, detail) = machines.refused(&json!({}), 400).await;
    assert!(detail.contains("storage_gb 30"), "{detail}");
    machines.create(&json!({"storage_gb": 29})).await;
}

#[tokio::test]
async fn rules_are_not_passed_by_while_aws_does_not_say() {
    let machines = Machines::start(LaunchDefaults {
        guard_rails: free_tier(),
        ..with_template()
    })
    .await;
    machines.refuse(
        Service::Ec2,
        "DescribeLaunchTemplateVersions",
        Refusal::Throttled,
    );
    let answer = machines.post("/instances", &json!({})).await;
    assert_eq!(answer.problem(503), "unavailable");
    assert!(!answer.header("retry-after").is_empty());
    assert!(machines.world.machines().await.is_empty());
    let volumes = GuardRails {
        max_volume_gib: Some(50),
        ..GuardRails::default()
    };
    let machines = Machines::start(ruled(volumes)).await;
    machines.refuse(Service::Ec2, "DescribeImages", Refusal::ServerError);
    for body in [json!({}), json!({"ami": X86_AMI})] {
        let (code, _) = machines.refused(&body, 503).await;
        assert_eq!(code, "unavailable", "{body}");
    }
    // With its size, there is nothing left to ask.
    machines
        .create(&json!({"ami": X86_AMI, "storage_gb": 50}))
        .await;
}

#[tokio::test]
async fn markets_volumes_and_lives_have_their_bounds() {
    let machines = Machines::start(ruled(GuardRails {
        markets: vec![Market::Spot],
        max_volume_gib: Some(75),
        max_ttl_minutes: Some(60),
        ..GuardRails::default()
    }))
    .await;
    for (body, rule) in [
        (json!({}), "AllowedMarkets"),
        (
            json!({"market": "spot", "fallback_to_on_demand": true}),
            "AllowedMarkets",
        ),
        (json!({"market": "spot", "storage_gb": 76}), "MaxVolumeGb"),
        (
            json!({"market": "spot", "ttl_minutes": 61}),
            "MaxTtlMinutes",
        ),
    ] {
        let (code, detail) = machines.refused(&body, 400).await;
        assert_eq!(code, "guard_rail", "{body}");
        assert!(detail.contains(rule), "{body}: {detail}");
    }
    // A life without end is no way round the rule. A GPU's image needs all of the 75 GiB.
    let machine = machines
        .create(&json!({"market": "spot", "instance_type": "g5.xlarge"}))
        .await;
    let life = machine
        .expires_at
        .unwrap()
        .duration_since(machine.created_at);
    assert_eq!(life.as_mins(), 60);
}

#[tokio::test]
async fn the_quota_is_full_after_its_last_machine() {
    let machines = Machines::start(ruled(GuardRails {
        max_machines: Some(2),
        ..GuardRails::default()
    }))
    .await;
    let event = GatewayEvent::post("/instances", "{}").header("idempotency-key", "k1");
    let first = machines.send(event.clone()).await;
    assert_eq!(first.status, 202, "{}", first.text());
    let second = machines.create(&json!({})).await;
    assert!(second.counted);
    let answer = machines.post("/instances", &json!({})).await;
    assert_eq!(answer.problem(429), "quota_exceeded");
    assert_eq!(answer.header("retry-after"), "60");
    assert!(
        answer.detail().contains("2 machines"),
        "{}",
        answer.detail()
    );
    assert_eq!(machines.world.machines().await.len(), 2);
    assert_eq!(machines.counted("create", "refused_by_quota"), 1);
    // What was answered before is answered again.
    assert_eq!(machines.send(event).await.json(), first.json());
    // Nothing was launched for it yet: it ends, and its place is free, at once.
    let gone = machines.delete(&format!("/instances/{}", second.id)).await;
    assert_eq!(gone.status, 202, "{}", gone.text());
    machines.create(&json!({})).await;
}
