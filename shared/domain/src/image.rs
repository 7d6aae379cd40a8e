//! AMIs: which one a machine gets when nobody names one, and what is known of one.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::{
    launch::{AmiId, InstanceType},
    status::Architecture,
};

/// How long a choice of the newest image holds.
pub const NEWEST_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What is known of an AMI (EC2 API, DescribeImages). It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Its id.
    pub id: AmiId,
    /// Its name: tells the family.
    #[serde(default)]
    pub name: String,
    /// Its architecture; nothing for one that no machine of ours can run (such as `x86_64_mac`).
    #[serde(default)]
    pub architecture: Option<Architecture>,
    /// The device its root volume is attached as.
    #[serde(default)]
    pub root_device: Option<String>,
    /// The size of its root snapshot in GiB: no volume can be smaller.
    #[serde(default)]
    pub root_gib: Option<u32>,
}

impl ImageFacts {
    /// The user to log in as, by the family the image's name tells (EC2 user guide, "Manage system users"):
    /// nothing for Windows.
    pub fn login_user(&self) -> Option<&'static str> {
        const USERS: &[(&str, Option<&str>)] = &[
            ("windows", None),
            ("ubuntu", Some("ubuntu")),
            ("debian", Some("admin")),
            ("centos", Some("centos")),
            ("bitnami", Some("bitnami")),
            ("fedora", Some("fedora")),
            ("rocky", Some("rocky")),
        ];
        let name = self.name.to_lowercase();
        USERS
            .iter()
            .find(|(family, _)| name.contains(family))
            .map_or(Some("ec2-user"), |(_, user)| *user)
    }
}

/// The images Haulout chooses by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageKind {
    /// Amazon Linux 2023.
    AmazonLinux,
    /// The deep-learning base image on Amazon Linux 2023: with NVIDIA's driver, which the plain one lacks.
    DeepLearning,
}

impl ImageKind {
    /// What a machine of that type needs.
    pub fn for_type(instance_type: &InstanceType) -> Self {
        if instance_type.has_nvidia_gpu() {
            Self::DeepLearning
        } else {
            Self::AmazonLinux
        }
    }

    /// The public SSM parameter that names the newest one in a region.
    pub fn parameter(self, architecture: Architecture) -> String {
        match self {
            Self::AmazonLinux => format!(
                "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
            ),
            Self::DeepLearning => format!(
                "/aws/service/deeplearning/ami/{architecture}/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"
            ),
        }
    }

    /// The names of its images, for DescribeImages when the parameter cannot be read.
    pub const fn name_pattern(self) -> &'static str {
        match self {
            // Not the minimal ones, which have no SSM agent.
            Self::AmazonLinux => "al2023-ami-2023.*",
            Self::DeepLearning => {
                "Deep Learning*Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023)*"
            }
        }
    }

    /// Its name in a cache key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmazonLinux => "al2023",
            Self::DeepLearning => "deep-learning",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> ImageFacts {
        ImageFacts {
            id: "ami-0123456789abcdef0".parse().expect("an AMI id"),
            name: name.to_owned(),
            architecture: None,
            root_device: None,
            root_gib: None,
        }
    }

    #[test]
    fn the_login_user_follows_from_the_family() {
        for (name, user) in [
            (
                "al2023-ami-2023.9.20251105.0-kernel-6.1-x86_64",
                Some("ec2-user"),
            ),
            ("amzn2-ami-hvm-2.0", Some("ec2-user")),
            (
                "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server",
                Some("ubuntu"),
            ),
            (
                "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 20251107",
                Some("ubuntu"),
            ),
            (
                "Deep Learning Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023) 20251107",
                Some("ec2-user"),
            ),
            ("debian-12-amd64-20251006", Some("admin")),
            ("RHEL-9.6.0_HVM", Some("ec2-user")),
            ("Windows_Server-2025-English-Full-Base", None),
        ] {
            assert_eq!(named(name).login_user(), user, "{name}");
        }
    }

    #[test]
    fn a_gpu_machine_gets_the_image_with_the_driver() {
        let kind = |text: &str| ImageKind::for_type(&text.parse().expect("an instance type"));
        assert_eq!(kind("g5.xlarge"), ImageKind::DeepLearning);
        assert_eq!(kind("t4g.medium"), ImageKind::AmazonLinux);
    }
}
