//! The functions' settings, as template.yaml hands them over in environment variables.

use haulout_aws::env::{launch_defaults_of, pool_settings_of};
use haulout_domain::{
    launch::InstanceType, plan::LaunchDefaults, pool::PoolSettings, staging::Archive,
    status::Market,
};

#[test]
fn what_is_empty_or_a_limit_of_0_is_off() {
    let none = launch_defaults_of(&|_| None).unwrap();
    assert_eq!(none, LaunchDefaults::default());
    let off =
        launch_defaults_of(&|name| Some(if name.contains("_MAX_") { "0" } else { "" }.to_owned()));
    assert_eq!(off.unwrap(), LaunchDefaults::default());
}

#[test]
fn lists_and_limits_are_read() {
    let variable = |name: &'static str| {
        let value = match name {
            "HAULOUT_DEFAULT_INSTANCE_TYPES" => "t3.medium, t4g.medium",
            "HAULOUT_SUBNET_IDS" => "subnet-01234567,subnet-76543210",
            "HAULOUT_ALLOWED_MARKETS" => "on-demand",
            "HAULOUT_MAX_VOLUME_GB" => "30",
            "HAULOUT_MAX_MACHINES" => "2",
            "HAULOUT_INSTANCE_PROFILE_ARN" => "arn:aws:iam::123456789012:instance-profile/x",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let read = launch_defaults_of(&variable).unwrap();
    let types: Vec<&str> = read
        .instance_types
        .iter()
        .map(InstanceType::as_str)
        .collect();
    assert_eq!(types, ["t3.medium", "t4g.medium"]);
    assert_eq!(read.subnets.len(), 2);
    assert!(read.instance_profile.is_some());
    assert_eq!(read.guard_rails.markets, [Market::OnDemand]);
    assert_eq!(read.guard_rails.max_volume_gib, Some(30));
    assert_eq!(read.guard_rails.max_machines, Some(2));
    assert_eq!(read.guard_rails.max_ttl_minutes, None);
}

#[test]
fn what_makes_no_sense_is_an_error_that_names_the_variable() {
    for (bad, value) in [
        ("HAULOUT_ALLOWED_MARKETS", "on-demand,futures"),
        ("HAULOUT_ALLOWED_AMIS", "al2023"),
        ("HAULOUT_SUBNET_IDS", "subnet-x"),
        ("HAULOUT_MAX_TTL_MINUTES", "an hour"),
    ] {
        let variable = |name: &'static str| (name == bad).then(|| value.to_owned());
        let error = launch_defaults_of(&variable).unwrap_err().to_string();
        assert!(error.contains(bad), "{error}");
    }
}

#[test]
fn the_sha256_of_the_pools_blob_is_of_no_package() {
    let sha256 = "5e".repeat(32);
    let read = |with: &'static str, value: &str| {
        let variable = |name: &'static str| match name {
            "HAULOUT_POOL_BLOB_SHA256" => Some(sha256.clone()),
            "HAULOUT_POOL_MAX" => Some("7".to_owned()),
            _ => (name == with).then(|| value.to_owned()),
        };
        pool_settings_of(&variable).unwrap()
    };
    let of_package = read("HAULOUT_POOL_PACKAGE", "model@1.0.0");
    assert_eq!(of_package.bounds.max, 7);
    let staging = of_package.staging.unwrap();
    assert!(matches!(staging.archive, Archive::Package(_)));
    assert_eq!(staging.sha256, None);
    let of_blob = read("HAULOUT_POOL_BLOB_ID", &format!("0x{}", "ab".repeat(32)));
    let staging = of_blob.staging.unwrap();
    assert_eq!(
        staging.sha256.map(|it| it.as_str().to_owned()),
        Some(sha256.clone())
    );
    assert_eq!(read("HAULOUT_POOL_PACKAGE", " ").staging, None);
    assert_eq!(
        pool_settings_of(&|_| None).unwrap(),
        PoolSettings::default()
    );
}
