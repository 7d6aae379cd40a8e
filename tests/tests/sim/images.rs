//! Images: versions, owners, the parameters that name them, and what a launch makes of them.

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Filter, IamInstanceProfileSpecification, Image,
};
use haulout_local::sim;

use super::launch::one;
use super::{ARM, Lab, X86, code, filter};

const UBUNTU: &str = "ami-0a1b2c3d4e5f60009";
const CANONICAL: &str = "099720109477";

impl Lab {
    async fn images(&self, owner: &str, filters: &[Filter]) -> Vec<Image> {
        let answer = self
            .ec2
            .describe_images()
            .owners(owner)
            .set_filters(Some(filters.to_vec()))
            .send()
            .await
            .unwrap();
        answer.images().to_vec()
    }

    async fn parameter(&self, name: &str) -> Result<String, String> {
        match self.ssm.get_parameter().name(name).send().await {
            Ok(answer) => Ok(answer.parameter().unwrap().value().unwrap().to_owned()),
            refused => Err(code(refused)),
        }
    }
}

fn linux_parameter(architecture: &str) -> String {
    format!("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}")
}

#[tokio::test]
async fn the_newest_version_is_the_one_that_the_parameter_names() {
    let lab = Lab::new(|_| {}).await;
    for (architecture, newest, versions) in [("x86_64", X86, 3), ("arm64", ARM, 2)] {
        let images = lab
            .images(
                "amazon",
                &[
                    filter("name", &["al2023-ami-2023.*-kernel-6.1-*"]),
                    filter("architecture", &[architecture]),
                    filter("state", &["available"]),
                ],
            )
            .await;
        assert_eq!(images.len(), versions);
        let last = images.iter().max_by_key(|image| image.creation_date());
        assert_eq!(last.unwrap().image_id(), Some(newest));
        let name = linux_parameter(architecture);
        assert_eq!(lab.parameter(&name).await.as_deref(), Ok(newest));
        let both = lab.ssm.get_parameters().names(&name).names("/none");
        let both = both.send().await.unwrap();
        assert_eq!(both.parameters()[0].value(), Some(newest));
        assert_eq!(both.invalid_parameters(), ["/none"]);
    }
    // A pattern that is too wide finds newer images of another kind.
    let wide = lab
        .images("amazon", &[filter("name", &["al2023-ami-*-x86_64"])])
        .await;
    let last = wide.iter().max_by_key(|image| image.creation_date());
    assert_ne!(last.unwrap().image_id(), Some(X86));
    assert_eq!(
        lab.parameter("/none").await,
        Err("ParameterNotFound".into())
    );
    let unknown = lab.ec2.describe_images().image_ids("ami-0123456789abcdef0");
    assert_eq!(code(unknown.send().await), "InvalidAMIID.NotFound");
}

#[tokio::test]
async fn deep_learning_images_have_their_public_parameters() {
    let lab = Lab::new(|_| {}).await;
    for architecture in ["x86_64", "arm64"] {
        let name = format!(
            "/aws/service/deeplearning/ami/{architecture}/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"
        );
        let id = lab.parameter(&name).await.unwrap();
        let answer = lab.ec2.describe_images().image_ids(&id).send().await;
        let image = &answer.unwrap().images()[0].clone();
        assert_eq!(image.architecture().unwrap().as_str(), architecture);
        assert!(
            image.name().unwrap().contains("Base OSS Nvidia Driver GPU"),
            "{image:?}"
        );
        let root = image.block_device_mappings()[0].ebs().unwrap();
        assert_eq!(root.volume_size(), Some(75));
        assert!(root.snapshot_id().unwrap().starts_with("snap-"));
    }
}

#[tokio::test]
async fn other_families_have_other_owners_and_root_devices() {
    let lab = Lab::new(|_| {}).await;
    let ubuntu = lab
        .images(CANONICAL, &[filter("architecture", &["x86_64"])])
        .await;
    assert_eq!(ubuntu[0].image_id(), Some(UBUNTU));
    assert_eq!(ubuntu[0].root_device_name(), Some("/dev/sda1"));
    let debian = lab.images("136693071363", &[]).await;
    assert!(debian[0].name().unwrap().starts_with("debian-12-amd64-"));
    assert_eq!(lab.images("self", &[]).await, []);
    let launch = |device: &str, size: i32| {
        let volume = EbsBlockDevice::builder().volume_size(size).build();
        one(&lab)
            .image_id(UBUNTU)
            .instance_type("t3.micro".into())
            .block_device_mappings(
                BlockDeviceMapping::builder()
                    .device_name(device)
                    .ebs(volume)
                    .build(),
            )
            .send()
    };
    assert_eq!(
        code(launch("/dev/sda1", 4).await),
        "InvalidBlockDeviceMapping"
    );
    launch("/dev/sda1", 20).await.unwrap();
    let sizes: Vec<u32> = lab.sim.state().volumes.iter().map(|v| v.size_gib).collect();
    assert_eq!(sizes, [20]);
    // This is another device, so that there are two volumes.
    let launched = launch("/dev/xvda", 4).await.unwrap();
    let instance = &launched.instances()[0];
    assert_eq!(instance.root_device_name(), Some("/dev/sda1"));
    assert_eq!(instance.block_device_mappings().len(), 2);
}

#[tokio::test]
async fn a_new_image_can_be_published() {
    let lab = Lab::new(|_| {}).await;
    let new = "ami-0a1b2c3d4e5f600ff";
    let image = sim::Image::amazon_linux(new, "x86_64", "2023.9.20260105.0", true);
    lab.sim.set_images(vec![image]);
    assert_eq!(
        lab.parameter(&linux_parameter("x86_64")).await.as_deref(),
        Ok(new)
    );
    let images = lab.images("amazon", &[]).await;
    assert_eq!(images[0].creation_date(), Some("2026-01-05T00:00:00.000Z"));
    let old = one(&lab).image_id(X86).instance_type("t3.micro".into());
    assert_eq!(code(old.send().await), "InvalidAMIID.NotFound");
}

#[tokio::test]
async fn an_instance_profile_must_exist() {
    let lab = Lab::new(|config| config.instance_profiles = vec!["machine".into()]).await;
    let profile = IamInstanceProfileSpecification::builder;
    let launch = async |profile| {
        one(&lab)
            .image_id(X86)
            .instance_type("t3.micro".into())
            .iam_instance_profile(profile)
            .send()
            .await
    };
    launch(profile().name("machine").build()).await.unwrap();
    let arn = "arn:aws:iam::123456789012:instance-profile/";
    launch(profile().arn(format!("{arn}machine")).build())
        .await
        .unwrap();
    for unknown in [
        profile().name("other"),
        profile().arn(format!("{arn}other")),
    ] {
        assert_eq!(code(launch(unknown.build()).await), "InvalidParameterValue");
    }
}
