//! Settings of a deployed function: its environment variables, read once at start. One variable for each
//! parameter of template.yaml; what is empty, or a limit of 0, is off.

use std::{env, error::Error, str::FromStr};

#[cfg(feature = "directory")]
use crate::directory::DirectoryTables;
#[cfg(feature = "registry")]
use crate::registry::RegistryTables;
#[cfg(feature = "store")]
use crate::store::Tables;
use haulout_domain::{
    guard::GuardRails,
    plan::LaunchDefaults,
    poll::Deadlines,
    pool::{PoolSettings, capacity::Bounds},
    staging::{Archive, StagingSpec},
};

/// A variable that is missing or makes no sense. The deployment is wrong; the text says where.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// Not set, or empty.
    #[error("environment variable {0} is not set: deploy the function with template.yaml")]
    Missing(&'static str),
    /// Set to something that is not a number.
    #[error("environment variable {name} is not a number: '{value}'")]
    NotANumber {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
    },
    /// Set to something of another form.
    #[error("environment variable {name} holds '{value}': {source}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// A variable that must be set.
pub fn required(name: &'static str) -> Result<String, EnvError> {
    optional(name).ok_or(EnvError::Missing(name))
}

/// A variable that may be missing or empty.
pub fn optional(name: &'static str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// A list separated by commas; empty when the variable is not set.
pub fn list(name: &'static str) -> Vec<String> {
    split(&optional(name).unwrap_or_default())
}

/// A number, or its default when the variable is not set.
pub fn number<N: FromStr>(name: &'static str, default: N) -> Result<N, EnvError> {
    optional(name).map_or(Ok(default), |value| as_number(name, value))
}

/// `HAULOUT_DEPLOYMENT`: the naming prefix, and the value of the tag by which the deployment's instances are known.
pub fn deployment() -> String {
    optional("HAULOUT_DEPLOYMENT").unwrap_or_else(|| "haulout".to_owned())
}

/// `HAULOUT_MACHINES_TABLE`, `HAULOUT_CONTROL_TABLE`, `HAULOUT_PROJECTS_TABLE`.
#[cfg(feature = "store")]
pub fn tables() -> Result<Tables, EnvError> {
    Ok(Tables {
        machines: required("HAULOUT_MACHINES_TABLE")?,
        control: required("HAULOUT_CONTROL_TABLE")?,
        projects: required("HAULOUT_PROJECTS_TABLE")?,
    })
}

/// `HAULOUT_PACKAGES_TABLE`, `HAULOUT_UPLOADS_TABLE`, `HAULOUT_DOWNLOADS_TABLE`.
#[cfg(feature = "registry")]
pub fn registry_tables() -> Result<RegistryTables, EnvError> {
    Ok(RegistryTables {
        packages: required("HAULOUT_PACKAGES_TABLE")?,
        uploads: required("HAULOUT_UPLOADS_TABLE")?,
        downloads: required("HAULOUT_DOWNLOADS_TABLE")?,
    })
}

/// `HAULOUT_USERS_TABLE`, `HAULOUT_TOKENS_TABLE`, `HAULOUT_AUDIT_TABLE`.
#[cfg(feature = "directory")]
pub fn directory_tables() -> Result<DirectoryTables, EnvError> {
    Ok(DirectoryTables {
        users: required("HAULOUT_USERS_TABLE")?,
        tokens: required("HAULOUT_TOKENS_TABLE")?,
        audit: required("HAULOUT_AUDIT_TABLE")?,
    })
}

/// `HAULOUT_RUNNING_TIMEOUT_SECONDS`, `HAULOUT_AGENT_TIMEOUT_SECONDS`, `HAULOUT_COMMAND_TIMEOUT_SECONDS`,
/// `HAULOUT_STATUS_CHECK_TIMEOUT_SECONDS`.
pub fn deadlines() -> Result<Deadlines, EnvError> {
    let default = Deadlines::default();
    Ok(Deadlines {
        running_seconds: number("HAULOUT_RUNNING_TIMEOUT_SECONDS", default.running_seconds)?,
        agent_seconds: number("HAULOUT_AGENT_TIMEOUT_SECONDS", default.agent_seconds)?,
        command_seconds: number("HAULOUT_COMMAND_TIMEOUT_SECONDS", default.command_seconds)?,
        checks_seconds: number(
            "HAULOUT_STATUS_CHECK_TIMEOUT_SECONDS",
            default.checks_seconds,
        )?,
    })
}

/// `HAULOUT_POOL_BUFFER`, `HAULOUT_POOL_MIN`, `HAULOUT_POOL_MAX`, and what is staged before a machine is idle:
/// `HAULOUT_POOL_BLOB_ID`, `HAULOUT_POOL_BLOB_SHA256`, or else `HAULOUT_POOL_PACKAGE`.
pub fn pool_settings() -> Result<PoolSettings, EnvError> {
    pool_settings_of(&optional)
}

/// The same, of variables that come from elsewhere.
pub fn pool_settings_of(
    variable: &dyn Fn(&'static str) -> Option<String>,
) -> Result<PoolSettings, EnvError> {
    let variables = Variables(variable);
    let default = Bounds::default();
    let sha256 = variables.one("HAULOUT_POOL_BLOB_SHA256")?;
    let blob = variables.one("HAULOUT_POOL_BLOB_ID")?.map(Archive::Blob);
    let package = variables.one("HAULOUT_POOL_PACKAGE")?.map(Archive::Package);
    // The registry knows a package's SHA-256.
    let sha256 = sha256.filter(|_| blob.is_some());
    Ok(PoolSettings {
        bounds: Bounds {
            buffer: variables.number("HAULOUT_POOL_BUFFER", default.buffer)?,
            min: variables.number("HAULOUT_POOL_MIN", default.min)?,
            max: variables.number("HAULOUT_POOL_MAX", default.max)?,
        },
        staging: blob.or(package).map(|archive| StagingSpec {
            archive,
            package_key: None,
            sha256,
            size_bytes: None,
        }),
    })
}

/// A variable that is `true` or `false`, or its default when it is not set.
pub fn flag(name: &'static str, default: bool) -> Result<bool, EnvError> {
    Ok(Variables(&optional).one(name)?.unwrap_or(default))
}

/// `HAULOUT_MAX_MACHINES`: the most machines that an owner may have; nothing when there is no such limit.
pub fn max_machines() -> Result<Option<u32>, EnvError> {
    Variables(&optional).limit("HAULOUT_MAX_MACHINES")
}

/// What the deployment says of launches. `HAULOUT_LAUNCH_TEMPLATE_ID`, `HAULOUT_DEFAULT_INSTANCE_TYPES`,
/// `HAULOUT_SUBNET_IDS`, `HAULOUT_KEY_NAME`, `HAULOUT_INSTANCE_PROFILE_ARN`, and of the guard rails
/// `HAULOUT_ALLOWED_INSTANCE_TYPES`, `HAULOUT_ALLOWED_AMIS`, `HAULOUT_ALLOWED_MARKETS`, `HAULOUT_MAX_VOLUME_GB`,
/// `HAULOUT_MAX_MACHINES`, `HAULOUT_MAX_TTL_MINUTES`.
pub fn launch_defaults() -> Result<LaunchDefaults, EnvError> {
    launch_defaults_of(&optional)
}

/// The same, of variables that come from elsewhere.
pub fn launch_defaults_of(
    variable: &dyn Fn(&'static str) -> Option<String>,
) -> Result<LaunchDefaults, EnvError> {
    let variables = Variables(variable);
    Ok(LaunchDefaults {
        launch_template_id: variables.one("HAULOUT_LAUNCH_TEMPLATE_ID")?,
        instance_types: variables.many("HAULOUT_DEFAULT_INSTANCE_TYPES")?,
        subnets: variables.many("HAULOUT_SUBNET_IDS")?,
        key_name: variables.one("HAULOUT_KEY_NAME")?,
        instance_profile: variables.text("HAULOUT_INSTANCE_PROFILE_ARN"),
        guard_rails: GuardRails {
            instance_types: variables.many("HAULOUT_ALLOWED_INSTANCE_TYPES")?,
            amis: variables.many("HAULOUT_ALLOWED_AMIS")?,
            markets: variables.many("HAULOUT_ALLOWED_MARKETS")?,
            max_volume_gib: variables.limit("HAULOUT_MAX_VOLUME_GB")?,
            max_machines: variables.limit("HAULOUT_MAX_MACHINES")?,
            max_ttl_minutes: variables.limit("HAULOUT_MAX_TTL_MINUTES")?,
        },
    })
}

/// Where variables come from.
struct Variables<'a>(&'a dyn Fn(&'static str) -> Option<String>);

impl Variables<'_> {
    fn text(&self, name: &'static str) -> Option<String> {
        (self.0)(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    fn one<T>(&self, name: &'static str) -> Result<Option<T>, EnvError>
    where
        T: FromStr<Err: Error + Send + Sync + 'static>,
    {
        self.text(name).map(|value| parse(name, &value)).transpose()
    }

    fn many<T>(&self, name: &'static str) -> Result<Vec<T>, EnvError>
    where
        T: FromStr<Err: Error + Send + Sync + 'static>,
    {
        split(&self.text(name).unwrap_or_default())
            .iter()
            .map(|value| parse(name, value))
            .collect()
    }

    fn number<N: FromStr>(&self, name: &'static str, default: N) -> Result<N, EnvError> {
        let number = self.text(name).map(|value| as_number(name, value));
        Ok(number.transpose()?.unwrap_or(default))
    }

    /// A number; 0 is no limit.
    fn limit(&self, name: &'static str) -> Result<Option<u32>, EnvError> {
        let number = self.text(name).map(|value| as_number(name, value));
        Ok(number.transpose()?.filter(|number| *number > 0))
    }
}

fn split(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

fn as_number<N: FromStr>(name: &'static str, value: String) -> Result<N, EnvError> {
    value
        .trim()
        .parse()
        .map_err(|_| EnvError::NotANumber { name, value })
}

fn parse<T>(name: &'static str, value: &str) -> Result<T, EnvError>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    value.parse().map_err(|error: T::Err| EnvError::Malformed {
        name,
        value: value.to_owned(),
        source: Box::new(error),
    })
}
