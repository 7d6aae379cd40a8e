//! Describe calls: filters, paging, lag, tags, images, subnets.

use std::time::Duration;

use aws_sdk_ec2::types::{Reservation, Tag};

use super::{Lab, X86, code, filter, seeded};

/// The ids of all instances that pass the filters.
async fn found(lab: &Lab, filters: &[(&str, &[&str])]) -> Vec<String> {
    let filters = filters
        .iter()
        .map(|(name, values)| filter(name, values))
        .collect();
    let answer = lab
        .ec2
        .describe_instances()
        .set_filters(Some(filters))
        .send()
        .await
        .unwrap();
    let instances = answer
        .reservations()
        .iter()
        .flat_map(Reservation::instances);
    instances
        .map(|i| i.instance_id().unwrap().to_owned())
        .collect()
}

async fn tag(lab: &Lab, id: &str, key: &str, value: &str) {
    let tag = Tag::builder().key(key).value(value).build();
    lab.ec2
        .create_tags()
        .resources(id)
        .tags(tag)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn instances_are_found_by_filters() {
    let lab = Lab::new(|_| {}).await;
    let (one, two) = (lab.online("token-1").await, lab.launch("token-2").await);
    tag(&lab, &one, "haulout:machine", "m-1").await;
    tag(&lab, &two, "haulout:machine", "m-2").await;
    tag(&lab, &two, "pool", "").await;
    let check = async |filters: &[(&str, &[&str])], expected: &[&String]| {
        assert_eq!(
            found(&lab, filters).await.iter().collect::<Vec<_>>(),
            expected,
            "{filters:?}"
        );
    };
    check(&[], &[&one, &two]).await;
    check(&[("tag:haulout:machine", &["m-1"])], &[&one]).await;
    check(&[("tag:haulout:machine", &["m-*"])], &[&one, &two]).await;
    check(
        &[
            ("tag:haulout:machine", &["m-?"]),
            ("instance-state-name", &["pending"]),
        ],
        &[&two],
    )
    .await;
    check(&[("tag:haulout:machine", &["m-3", "m-2"])], &[&two]).await;
    check(&[("tag:haulout:machine", &["M-1"])], &[]).await;
    check(&[("tag-key", &["pool"])], &[&two]).await;
    check(&[("tag-key", &["haulout:*"])], &[&one, &two]).await;
    check(&[("tag:nothing", &["*"])], &[]).await;
    check(&[("client-token", &["token-1"])], &[&one]).await;
    check(
        &[("instance-state-name", &["running", "pending"])],
        &[&one, &two],
    )
    .await;
    check(&[("instance-id", &[&two])], &[&two]).await;
    check(
        &[("image-id", &[X86]), ("instance-type", &["t3.*"])],
        &[&one, &two],
    )
    .await;
    check(&[("instance-lifecycle", &["spot"])], &[]).await;
    let unknown = lab
        .ec2
        .describe_instances()
        .filters(filter("colour", &["red"]))
        .send()
        .await;
    assert_eq!(code(unknown), "InvalidParameterValue");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let lab = Lab::new(|_| {}).await;
    let several = |token: &str, count| {
        lab.ec2
            .run_instances()
            .launch_template(seeded())
            .client_token(token)
            .min_count(count)
            .max_count(count)
            .send()
    };
    several("a", 7).await.unwrap();
    several("b", 5).await.unwrap();
    let mut pages = lab
        .ec2
        .describe_instances()
        .max_results(5)
        .into_paginator()
        .send();
    let (mut sizes, mut ids) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        let on_page: Vec<_> = page
            .reservations()
            .iter()
            .flat_map(Reservation::instances)
            .map(|i| i.instance_id().unwrap().to_owned())
            .collect();
        sizes.push((page.reservations().len(), on_page.len()));
        ids.extend(on_page);
    }
    // The second page has the end of one reservation and the beginning of the next.
    assert_eq!(sizes, [(1, 5), (2, 5), (1, 2)]);
    assert_eq!(ids, found(&lab, &[]).await);
}

#[tokio::test]
async fn statuses_and_agents_come_in_pages_too() {
    let lab = Lab::new(|_| {}).await;
    let launch = lab.ec2.run_instances().launch_template(seeded());
    let launched = launch.min_count(12).max_count(12).send().await.unwrap();
    let id = launched.instances()[0].instance_id().unwrap();
    lab.advance(60);
    let page = lab
        .ec2
        .describe_instance_status()
        .max_results(5)
        .send()
        .await
        .unwrap();
    assert_eq!(page.instance_statuses().len(), 5);
    let rest = lab
        .ec2
        .describe_instance_status()
        .set_next_token(page.next_token)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (rest.instance_statuses().len(), rest.next_token()),
        (7, None)
    );
    let list = || lab.ec2.describe_instances();
    assert_eq!(
        code(list().max_results(5).instance_ids(id).send().await),
        "InvalidParameterCombination"
    );
    assert_eq!(
        code(list().max_results(4).send().await),
        "InvalidParameterValue"
    );
    assert_eq!(
        code(list().next_token("nonsense").send().await),
        "InvalidPaginationToken"
    );
    let mut agents = Vec::new();
    let mut pages = lab
        .ssm
        .describe_instance_information()
        .max_results(5)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        agents.push(page.unwrap().instance_information_list().len());
    }
    assert_eq!(agents, [5, 5, 2]);
    assert_eq!(
        code(
            lab.ssm
                .describe_instance_information()
                .max_results(51)
                .send()
                .await
        ),
        "ValidationException"
    );
}

#[tokio::test]
async fn a_new_instance_is_not_seen_at_once() {
    let lab = Lab::new(|config| {
        config.describe_lag = Duration::from_secs(3);
        config.change_lag = Duration::from_secs(2);
    })
    .await;
    let id = lab.launch("t").await;
    let by_id = || lab.ec2.describe_instances().instance_ids(&id).send();
    let terminate = || lab.ec2.terminate_instances().instance_ids(&id).send();
    lab.advance(1);
    assert_eq!(code(by_id().await), "InvalidInstanceID.NotFound");
    assert_eq!(code(terminate().await), "InvalidInstanceID.NotFound");
    assert!(found(&lab, &[("client-token", &["t"])]).await.is_empty());
    let status = lab
        .ec2
        .describe_instance_status()
        .instance_ids(&id)
        .include_all_instances(true)
        .send()
        .await;
    assert_eq!(code(status), "InvalidInstanceID.NotFound");
    // The token knows it all along.
    assert_eq!(lab.launch("t").await, id);
    lab.advance(1);
    assert_eq!(code(by_id().await), "InvalidInstanceID.NotFound");
    terminate().await.unwrap();
    lab.advance(1);
    assert_eq!(lab.state(&id).await, "shutting-down");
    assert_eq!(found(&lab, &[("client-token", &["t"])]).await, [id]);
}

#[tokio::test]
async fn status_speaks_of_running_instances_unless_asked() {
    let lab = Lab::new(|_| {}).await;
    let (running, pending) = (lab.online("1").await, lab.launch("2").await);
    let ask = async |all| {
        let answer = lab
            .ec2
            .describe_instance_status()
            .include_all_instances(all)
            .send()
            .await
            .unwrap();
        answer
            .instance_statuses()
            .iter()
            .map(|s| s.instance_id().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ask(false).await, std::slice::from_ref(&running));
    assert_eq!(ask(true).await, [running, pending.clone()]);
    let none = lab
        .ec2
        .describe_instance_status()
        .instance_ids(pending)
        .send()
        .await
        .unwrap();
    assert!(none.instance_statuses().is_empty());
}

#[tokio::test]
async fn tags_are_made_and_listed() {
    let lab = Lab::new(|_| {}).await;
    let id = lab.launch("t").await;
    tag(&lab, &id, "a", "1").await;
    tag(&lab, &id, "a", "2").await;
    let volume = lab.describe(&id).await.block_device_mappings()[0]
        .ebs()
        .unwrap()
        .volume_id()
        .unwrap()
        .to_owned();
    tag(&lab, &volume, "b", "3").await;
    let listed = async |name: &str, value: &str| {
        let answer = lab
            .ec2
            .describe_tags()
            .filters(filter(name, &[value]))
            .send()
            .await
            .unwrap();
        let text = |t: &aws_sdk_ec2::types::TagDescription| {
            format!(
                "{} {}={}",
                t.resource_type().unwrap(),
                t.key().unwrap(),
                t.value().unwrap()
            )
        };
        answer.tags().iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(listed("key", "a").await, ["instance a=2"]);
    assert_eq!(listed("resource-id", &volume).await, ["volume b=3"]);
    let create = |id: &str, key: &str| {
        let tag = Tag::builder().key(key).value("x").build();
        lab.ec2.create_tags().resources(id).tags(tag).send()
    };
    assert_eq!(
        code(create("i-0123456789abcdef0", "k").await),
        "InvalidInstanceID.NotFound"
    );
    assert_eq!(
        code(create("vol-0123456789abcdef0", "k").await),
        "InvalidVolume.NotFound"
    );
    assert_eq!(code(create("bucket", "k").await), "InvalidID");
    assert_eq!(code(create(&id, "aws:k").await), "InvalidParameterValue");
    for n in 0..49 {
        tag(&lab, &id, &format!("k{n}"), "v").await;
    }
    assert_eq!(code(create(&id, "one too many").await), "TagLimitExceeded");
}

#[tokio::test]
async fn subnets_are_one_a_zone() {
    let lab = Lab::new(|_| {}).await;
    let all = lab.ec2.describe_subnets().send().await.unwrap();
    assert_eq!(all.subnets().len(), 3);
    let b = lab
        .ec2
        .describe_subnets()
        .filters(filter("availability-zone", &["us-east-1b"]))
        .send()
        .await
        .unwrap();
    assert_eq!(b.subnets()[0].cidr_block(), Some("198.18.1.0/24"));
    let unknown = lab
        .ec2
        .describe_subnets()
        .subnet_ids("subnet-0123456789abcdef0")
        .send()
        .await;
    assert_eq!(code(unknown), "InvalidSubnetID.NotFound");
}
