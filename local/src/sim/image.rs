//! Amazon machine images: those that every simulator has, and what is told of each.

use super::ids;

/// The account of Amazon Linux images, and its alias.
pub(super) const AMAZON_LINUX: &str = "137112412989";
pub(super) const AMAZON_ALIAS: &str = "amazon";
/// The account of the deep-learning images.
const DEEP_LEARNING: &str = "898082745236";
/// The account of the images for ECS: Amazon's, too, and named much like Amazon Linux's.
const ECS: &str = "591542846629";
const CANONICAL: &str = "099720109477";
const DEBIAN: &str = "136693071363";

/// Sizes of root snapshots, in GiB.
const LINUX_ROOT_GIB: u32 = 8;
const MINIMAL_ROOT_GIB: u32 = 2;
const ECS_ROOT_GIB: u32 = 30;
const DEEP_LEARNING_ROOT_GIB: u32 = 75;

/// An Amazon machine image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `ami-` and 17 hexadecimal digits.
    pub id: String,
    /// Its name, as DescribeImages filters it.
    pub name: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// The account it belongs to; all simulated ones have the alias `amazon`, as verified providers have.
    pub owner: String,
    /// When it was made, as EC2 writes it: `2025-11-07T00:00:00.000Z`.
    pub created: String,
    /// The device of its root volume.
    pub root_device: String,
    /// Size of its root snapshot in GiB; a smaller volume is refused.
    pub root_gib: u32,
    /// The public Systems Manager parameter that names it, if any.
    pub parameter: Option<String>,
}

impl Image {
    /// Amazon Linux 2023 of a release such as `2023.9.20251105.0`, whose last part but one is its date; `newest` is the
    /// one that the public parameter names.
    pub fn amazon_linux(id: &str, architecture: &str, release: &str, newest: bool) -> Self {
        let parameter = format!(
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
        );
        Self {
            id: id.into(),
            name: format!("al2023-ami-{release}-kernel-6.1-{architecture}"),
            architecture: architecture.into(),
            owner: AMAZON_LINUX.into(),
            created: release.split('.').nth(2).map(midnight).unwrap_or_default(),
            root_device: "/dev/xvda".into(),
            root_gib: LINUX_ROOT_GIB,
            parameter: newest.then_some(parameter),
        }
    }

    /// Whether it is Amazon Linux as the public parameter names it, of any version.
    pub fn is_amazon_linux(&self) -> bool {
        self.owner == AMAZON_LINUX && self.name.starts_with("al2023-ami-2023.")
    }

    /// Its root snapshot's id.
    pub(super) fn snapshot_id(&self) -> String {
        let mut digest = ids::digest(&self.id);
        digest.truncate(17);
        format!("snap-{digest}")
    }

    /// The images that every simulator has unless told otherwise.
    pub fn seeded() -> Vec<Self> {
        vec![
            Self::amazon_linux("ami-0a1b2c3d4e5f60001", "x86_64", "2023.9.20251105.0", true),
            Self::amazon_linux("ami-0a1b2c3d4e5f60002", "arm64", "2023.9.20251105.0", true),
            pytorch(),
            Self::amazon_linux(
                "ami-0a1b2c3d4e5f60004",
                "x86_64",
                "2023.9.20251020.0",
                false,
            ),
            Self::amazon_linux("ami-0a1b2c3d4e5f60005", "arm64", "2023.9.20251020.0", false),
            Self::amazon_linux(
                "ami-0a1b2c3d4e5f60006",
                "x86_64",
                "2023.8.20250908.0",
                false,
            ),
            deep_learning("ami-0a1b2c3d4e5f60007", "x86_64"),
            deep_learning("ami-0a1b2c3d4e5f60008", "arm64"),
            ubuntu("ami-0a1b2c3d4e5f60009", "x86_64"),
            ubuntu("ami-0a1b2c3d4e5f6000a", "arm64"),
            debian(),
            minimal(),
            ecs(),
        ]
    }
}

/// The start of a day written as `20251105`.
fn midnight(day: &str) -> String {
    match (day.get(..4), day.get(4..6), day.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}T00:00:00.000Z"),
        _ => String::new(),
    }
}

fn pytorch() -> Image {
    Image {
        name: "Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.8 (Amazon Linux 2023) 20251107".into(),
        parameter: Some(
            "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.8-amazon-linux-2023/latest/ami-id"
                .into(),
        ),
        ..deep_learning("ami-0a1b2c3d4e5f60003", "x86_64")
    }
}

/// The base image: NVIDIA's driver, and no framework.
fn deep_learning(id: &str, architecture: &str) -> Image {
    let arm = if architecture == "arm64" {
        "ARM64 "
    } else {
        ""
    };
    Image {
        name: format!(
            "Deep Learning {arm}Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023) 20251107"
        ),
        owner: DEEP_LEARNING.into(),
        created: midnight("20251107"),
        root_gib: DEEP_LEARNING_ROOT_GIB,
        parameter: Some(format!(
            "/aws/service/deeplearning/ami/{architecture}/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"
        )),
        ..Image::amazon_linux(id, architecture, "", false)
    }
}

fn ubuntu(id: &str, architecture: &str) -> Image {
    let word = if architecture == "arm64" {
        "arm64"
    } else {
        "amd64"
    };
    Image {
        name: format!("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-{word}-server-20251022"),
        owner: CANONICAL.into(),
        created: midnight("20251022"),
        root_device: "/dev/sda1".into(),
        parameter: Some(format!(
            "/aws/service/canonical/ubuntu/server/24.04/stable/current/{word}/hvm/ebs-gp3/ami-id"
        )),
        ..Image::amazon_linux(id, architecture, "", false)
    }
}

fn debian() -> Image {
    Image {
        name: "debian-12-amd64-20251112-2294".into(),
        owner: DEBIAN.into(),
        created: midnight("20251112"),
        parameter: Some("/aws/service/debian/release/12/latest/amd64".into()),
        ..Image::amazon_linux("ami-0a1b2c3d4e5f6000b", "x86_64", "", false)
    }
}

/// Newer than the newest Amazon Linux, and named so that a careless pattern takes it for that.
fn minimal() -> Image {
    Image {
        name: "al2023-ami-minimal-2023.9.20251110.0-kernel-6.1-x86_64".into(),
        created: midnight("20251110"),
        root_gib: MINIMAL_ROOT_GIB,
        ..Image::amazon_linux("ami-0a1b2c3d4e5f6000c", "x86_64", "", false)
    }
}

fn ecs() -> Image {
    Image {
        name: "al2023-ami-ecs-hvm-2023.0.20251114-kernel-6.1-x86_64".into(),
        owner: ECS.into(),
        created: midnight("20251114"),
        root_gib: ECS_ROOT_GIB,
        ..Image::amazon_linux("ami-0a1b2c3d4e5f6000d", "x86_64", "", false)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn seeded_images_have_ids_dates_and_parameters_of_their_own() {
        let images = Image::seeded();
        let ids: BTreeSet<_> = images.iter().map(|image| &image.id).collect();
        assert_eq!(ids.len(), images.len());
        let named: Vec<_> = images.iter().filter_map(|i| i.parameter.as_ref()).collect();
        assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), named.len());
        for image in &images {
            assert!(ids::is_resource(&image.id, "ami-"), "{}", image.id);
            assert!(image.created.starts_with("2025-"), "{image:?}");
        }
    }
}
