//! Guard rails for the local stack, as a deployment sets them: parameters of template.yaml.

use std::collections::BTreeMap;

use crate::sim::Image;

/// What callers may launch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GuardRails {
    /// Anything.
    #[default]
    Off,
    /// What AWS's free tier covers: the two micro types, with Amazon Linux.
    FreeTier,
}

impl GuardRails {
    /// The template's parameters that set them; none when they are off.
    pub fn parameters(self) -> BTreeMap<String, String> {
        match self {
            Self::Off => BTreeMap::new(),
            Self::FreeTier => {
                let images = Image::seeded();
                let amis: Vec<&str> = images
                    .iter()
                    .filter(|image| image.is_amazon_linux())
                    .map(|image| image.id.as_str())
                    .collect();
                [
                    ("AllowedInstanceTypes", "t3.micro,t4g.micro".to_owned()),
                    ("AllowedAmis", amis.join(",")),
                ]
                .map(|(name, value)| (name.to_owned(), value))
                .into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GuardRails;

    #[test]
    fn free_tier_names_the_types_and_amazon_linux() {
        assert!(GuardRails::Off.parameters().is_empty());
        let parameters = GuardRails::FreeTier.parameters();
        assert_eq!(parameters["AllowedInstanceTypes"], "t3.micro,t4g.micro");
        let amis: Vec<&str> = parameters["AllowedAmis"].split(',').collect();
        // Both architectures' newest and the versions before them; no deep-learning image, and nobody else's.
        assert_eq!(amis.len(), 5);
        assert!(amis.contains(&"ami-0a1b2c3d4e5f60001"));
        assert!(amis.contains(&"ami-0a1b2c3d4e5f60002"));
        assert!(!amis.contains(&"ami-0a1b2c3d4e5f60003"));
    }
}
