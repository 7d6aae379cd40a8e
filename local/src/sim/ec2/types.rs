//! Instance types: which exist, and their architecture.

/// Families and sizes of general use; not all of EC2's, enough to tell a real type from a slip of the pen.
const FAMILIES: &[(&str, &str, &[&str])] = &[
    (
        "t2 t3 t3a",
        "x86_64",
        &[
            "nano", "micro", "small", "medium", "large", "xlarge", "2xlarge",
        ],
    ),
    (
        "t4g",
        "arm64",
        &[
            "nano", "micro", "small", "medium", "large", "xlarge", "2xlarge",
        ],
    ),
    ("m5 m5a c5 c5a r5 r5a", "x86_64", BIG),
    (
        "m6i m6a c6i c6a r6i r6a m7i m7a c7i c7a r7i r7a m8i c8i r8i",
        "x86_64",
        BIG,
    ),
    ("m6g c6g r6g m7g c7g r7g m8g c8g r8g", "arm64", WITH_MEDIUM),
    ("g4dn g5 g6 g6e", "x86_64", GPU),
    (
        "g5g",
        "arm64",
        &[
            "xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge", "metal",
        ],
    ),
    ("p3", "x86_64", &["2xlarge", "8xlarge", "16xlarge"]),
    ("p4d p4de", "x86_64", &["24xlarge"]),
    ("p5 p5en", "x86_64", &["4xlarge", "48xlarge"]),
    (
        "inf2",
        "x86_64",
        &["xlarge", "8xlarge", "24xlarge", "48xlarge"],
    ),
    ("trn1", "x86_64", &["2xlarge", "32xlarge"]),
];

const BIG: &[&str] = &[
    "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge",
    "32xlarge", "48xlarge",
];
const WITH_MEDIUM: &[&str] = &[
    "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge",
    "24xlarge", "48xlarge",
];
const GPU: &[&str] = &[
    "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "48xlarge",
];

/// The architecture of a type; `None` when there is no such type.
pub(super) fn architecture(instance_type: &str) -> Option<&'static str> {
    let (family, size) = instance_type.split_once('.')?;
    FAMILIES
        .iter()
        .find(|(families, _, sizes)| {
            families.split(' ').any(|f| f == family) && sizes.contains(&size)
        })
        .map(|(_, architecture, _)| *architecture)
}

/// All types.
pub(super) fn all() -> impl Iterator<Item = String> {
    FAMILIES.iter().flat_map(|(families, _, sizes)| {
        families
            .split(' ')
            .flat_map(|family| sizes.iter().map(move |size| format!("{family}.{size}")))
    })
}

#[cfg(test)]
mod tests {
    use super::architecture;

    #[test]
    fn types_have_an_architecture_or_do_not_exist() {
        assert_eq!(architecture("t3.medium"), Some("x86_64"));
        assert_eq!(architecture("t4g.small"), Some("arm64"));
        assert_eq!(architecture("g5.xlarge"), Some("x86_64"));
        for unknown in ["t3.huge", "t9.medium", "medium", "t3", "t3.medium.x", ""] {
            assert_eq!(architecture(unknown), None, "{unknown}");
        }
    }
}
