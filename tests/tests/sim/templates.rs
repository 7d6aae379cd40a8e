//! Launch templates: made, described, launched from.

use aws_sdk_ec2::types::{
    LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateSpecification, LaunchTemplateTagSpecificationRequest, RequestLaunchTemplateData,
    ResourceType, Tag,
};
use haulout_local::sim::LAUNCH_TEMPLATE_ID;

use super::launch::one;
use super::{ARM, Lab, X86, code};

fn data() -> RequestLaunchTemplateData {
    let volume = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_size(50)
        .build();
    let tags = LaunchTemplateTagSpecificationRequest::builder()
        .resource_type(ResourceType::Instance)
        .tags(Tag::builder().key("team").value("ml").build());
    RequestLaunchTemplateData::builder()
        .image_id(ARM)
        .instance_type("t4g.small".into())
        .security_group_ids("sg-0a1b2c3d4e5f60001")
        .block_device_mappings(
            LaunchTemplateBlockDeviceMappingRequest::builder()
                .device_name("/dev/xvda")
                .ebs(volume)
                .build(),
        )
        .tag_specifications(tags.build())
        .build()
}

#[tokio::test]
async fn a_template_is_made_once_a_token_described_and_launched() {
    let lab = Lab::new(|_| {}).await;
    let create = |token: &str| {
        lab.ec2
            .create_launch_template()
            .launch_template_name("mine")
            .launch_template_data(data())
            .client_token(token)
            .send()
    };
    let made = create("t").await.unwrap();
    let id = made
        .launch_template()
        .unwrap()
        .launch_template_id()
        .unwrap()
        .to_owned();
    let again = create("t").await.unwrap();
    assert_eq!(
        again.launch_template().unwrap().launch_template_id(),
        Some(id.as_str())
    );
    assert_eq!(
        code(create("u").await),
        "InvalidLaunchTemplateName.AlreadyExistsException"
    );
    let versions = lab
        .ec2
        .describe_launch_template_versions()
        .launch_template_id(&id)
        .versions("$Latest")
        .send()
        .await;
    let versions = versions.unwrap();
    let version = &versions.launch_template_versions()[0];
    assert_eq!(
        (version.version_number(), version.default_version()),
        (Some(1), Some(true))
    );
    let kept = version.launch_template_data().unwrap();
    assert_eq!(kept.image_id(), Some(ARM));
    assert_eq!(kept.security_group_ids(), ["sg-0a1b2c3d4e5f60001"]);
    assert_eq!(
        kept.block_device_mappings()[0].ebs().unwrap().volume_size(),
        Some(50)
    );
    assert_eq!(kept.tag_specifications()[0].tags()[0].value(), Some("ml"));
    let from = LaunchTemplateSpecification::builder()
        .launch_template_name("mine")
        .version("1")
        .build();
    let launched = lab
        .ec2
        .run_instances()
        .launch_template(from)
        .min_count(1)
        .max_count(1)
        .send()
        .await
        .unwrap();
    assert_eq!(
        launched.instances()[0].instance_type().unwrap().as_str(),
        "t4g.small"
    );
    assert!(
        launched.instances()[0]
            .tags()
            .contains(&Tag::builder().key("team").value("ml").build())
    );
}

#[tokio::test]
async fn templates_are_found_by_id_and_name() {
    let lab = Lab::new(|_| {}).await;
    let list = || lab.ec2.describe_launch_templates();
    for answer in [
        list().send().await.unwrap(),
        list()
            .launch_template_ids(LAUNCH_TEMPLATE_ID)
            .send()
            .await
            .unwrap(),
        list()
            .launch_template_names("haulout-local")
            .send()
            .await
            .unwrap(),
    ] {
        let [template] = answer.launch_templates() else {
            panic!("not one template: {answer:?}")
        };
        assert_eq!(template.launch_template_id(), Some(LAUNCH_TEMPLATE_ID));
        assert_eq!(template.latest_version_number(), Some(1));
    }
    let no_id = list()
        .launch_template_ids("lt-0123456789abcdef0")
        .send()
        .await;
    assert_eq!(code(no_id), "InvalidLaunchTemplateId.NotFoundException");
    assert_eq!(
        code(list().launch_template_ids("lt-x").send().await),
        "InvalidLaunchTemplateId.Malformed"
    );
    let no_name = list().launch_template_names("none").send().await;
    assert_eq!(code(no_name), "InvalidLaunchTemplateName.NotFoundException");
    let version = lab
        .ec2
        .describe_launch_template_versions()
        .launch_template_id(LAUNCH_TEMPLATE_ID)
        .versions("9");
    assert_eq!(
        code(version.send().await),
        "InvalidLaunchTemplateId.VersionNotFound"
    );
}

#[tokio::test]
async fn versions_are_added_and_the_default_one_changed() {
    let lab = Lab::new(|_| {}).await;
    let add = |token: &str| {
        let data = RequestLaunchTemplateData::builder().instance_type("t3.large".into());
        lab.ec2
            .create_launch_template_version()
            .launch_template_id(LAUNCH_TEMPLATE_ID)
            .source_version("1")
            .version_description("larger")
            .launch_template_data(data.build())
            .client_token(token)
            .send()
    };
    let set_default = |version: &str| {
        lab.ec2
            .modify_launch_template()
            .launch_template_id(LAUNCH_TEMPLATE_ID)
            .default_version(version)
            .send()
    };
    let launched_as = async |version: Option<&str>| {
        let template = LaunchTemplateSpecification::builder()
            .launch_template_id(LAUNCH_TEMPLATE_ID)
            .set_version(version.map(Into::into));
        let run = one(&lab).launch_template(template.build());
        let launched = run.send().await.unwrap();
        let instance = &launched.instances()[0];
        let mut tags = instance.tags().iter();
        let tag = tags.find(|tag| tag.key() == Some("aws:ec2launchtemplate:version"));
        (
            instance.instance_type().unwrap().to_string(),
            tag.unwrap().value().unwrap().to_owned(),
        )
    };
    let (medium, large) = (
        ("t3.medium".to_owned(), "1".to_owned()),
        ("t3.large".to_owned(), "2".to_owned()),
    );
    for _ in 0..2 {
        let added = add("t").await.unwrap();
        let version = added.launch_template_version().unwrap();
        assert_eq!(version.version_number(), Some(2));
        // What the new data does not say comes from the source.
        let kept = version.launch_template_data().unwrap();
        assert_eq!(kept.image_id(), Some(X86));
    }
    assert_eq!(launched_as(None).await, medium);
    assert_eq!(launched_as(Some("$Default")).await, medium);
    assert_eq!(launched_as(Some("$Latest")).await, large);
    let changed = set_default("2").await.unwrap();
    let template = changed.launch_template().unwrap();
    assert_eq!(template.default_version_number(), Some(2));
    assert_eq!(launched_as(Some("$Default")).await, large);
    assert_eq!(launched_as(Some("1")).await, medium);
    assert_eq!(
        code(set_default("3").await),
        "InvalidLaunchTemplateId.VersionNotFound"
    );
}
