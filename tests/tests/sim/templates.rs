//! Launch templates: made, described, launched from.

use aws_sdk_ec2::types::{
    LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateSpecification, LaunchTemplateTagSpecificationRequest, RequestLaunchTemplateData,
    ResourceType, Tag,
};
use haulout_local::sim::LAUNCH_TEMPLATE_ID;

use super::{ARM, Lab, code};

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
