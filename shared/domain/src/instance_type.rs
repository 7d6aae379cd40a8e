//! What an EC2 instance type's name says of it, without asking AWS. The letters after the generation name
//! the processor: `g` is Graviton (EC2 user guide, "Instance type naming conventions").

use crate::{launch::InstanceType, status::Architecture};

/// The families that do not follow the convention and are ARM all the same.
const ARM_FAMILIES: [&str; 2] = ["a1", "p6e-gb200"];

impl InstanceType {
    /// `t4g` of `t4g.medium`.
    pub fn family(&self) -> &str {
        let text = self.as_str();
        text.split_once('.').map_or(text, |(family, _)| family)
    }

    /// The processor's architecture.
    pub fn architecture(&self) -> Architecture {
        let family = self.family();
        let options = family
            .trim_start_matches(|c: char| c.is_ascii_lowercase())
            .trim_start_matches(|c: char| c.is_ascii_digit());
        // `im4gn`, `c6gn`, `m7gd`: the processor comes first, except in `g5g`, where it is alone.
        if options.starts_with('g') || ARM_FAMILIES.contains(&family) {
            Architecture::Arm
        } else {
            Architecture::X86
        }
    }

    /// It has NVIDIA GPUs, for which a plain Amazon Linux image has no driver: the families `g…`, `gr…` and `p…`.
    pub fn has_nvidia_gpu(&self) -> bool {
        let family = self.family();
        let class: String = family
            .chars()
            .take_while(char::is_ascii_lowercase)
            .collect();
        // g4ad has AMD GPUs.
        matches!(class.as_str(), "g" | "gr" | "p") && family != "g4ad"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance_type(text: &str) -> InstanceType {
        text.parse().expect("an instance type")
    }

    #[test]
    fn a_name_tells_the_architecture() {
        for arm in [
            "t4g.medium",
            "m7g.large",
            "c6gn.xlarge",
            "m7gd.large",
            "im4gn.large",
            "is4gen.medium",
            "x2gd.large",
            "g5g.xlarge",
            "hpc7g.4xlarge",
            "i8g.large",
            "a1.medium",
        ] {
            assert_eq!(
                instance_type(arm).architecture(),
                Architecture::Arm,
                "{arm}"
            );
        }
        for x86 in [
            "t3.medium",
            "g4dn.xlarge",
            "g5.xlarge",
            "gr6.4xlarge",
            "p3.2xlarge",
            "m7i-flex.large",
            "u-6tb1.metal",
            "mac1.metal",
            "inf2.xlarge",
        ] {
            assert_eq!(
                instance_type(x86).architecture(),
                Architecture::X86,
                "{x86}"
            );
        }
    }

    #[test]
    fn a_name_tells_the_gpu() {
        for gpu in [
            "g4dn.xlarge",
            "g5g.xlarge",
            "g6e.xlarge",
            "gr6.4xlarge",
            "p3.2xlarge",
        ] {
            assert!(instance_type(gpu).has_nvidia_gpu(), "{gpu}");
        }
        for none in [
            "t3.medium",
            "m7g.large",
            "g4ad.xlarge",
            "inf2.xlarge",
            "trn1.2xlarge",
        ] {
            assert!(!instance_type(none).has_nvidia_gpu(), "{none}");
        }
    }
}
