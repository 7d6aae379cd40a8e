//! Deploys template.yaml into the emulator as AWS would get it from `sam deploy`: artifacts to S3, then CloudFormation.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::aws::{Aws, StackState};
use super::dirs::{StateDir, write_json};
use super::error::StackError;
use super::functions::Package;
use super::helper::Helper;

/// The name of the CloudFormation stack, and of the deployment.
pub(super) const NAME: &str = "haulout";
const BUCKET: &str = "haulout-artifacts";
/// The state machine's definition, as template.yaml names it.
const DEFINITION: &str = "statemachine/provision.asl.json";
const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(50);
/// A deadline is divided by the speed but leaves this long for the calls themselves, in seconds.
const SHORTEST_DEADLINE: f64 = 5.0;

/// What the template's parameters depend on.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    /// The simulator's launch template.
    pub(super) launch_template_id: &'a str,
    /// The local Walrus aggregator.
    pub(super) aggregator_url: &'a str,
    /// The front door, where simulated machines reach the API.
    pub(super) api_url: &'a str,
    /// How many times faster than real time.
    pub(super) speed: f64,
    /// Parameters that a caller sets itself, over these.
    pub(super) overrides: &'a BTreeMap<String, String>,
}

impl Parameters<'_> {
    fn values(&self) -> BTreeMap<String, String> {
        let architecture = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "x86_64"
        };
        let mut values = BTreeMap::from([
            (
                "LaunchTemplateId".to_owned(),
                self.launch_template_id.to_owned(),
            ),
            ("AggregatorUrls".to_owned(), self.aggregator_url.to_owned()),
            ("PublicUrl".to_owned(), self.api_url.to_owned()),
            ("RequireTls".to_owned(), "false".to_owned()),
            ("SelfRegistration".to_owned(), "true".to_owned()),
            ("Architecture".to_owned(), architecture.to_owned()),
            (
                "RunningTimeoutSeconds".to_owned(),
                scaled(300.0, self.speed),
            ),
            ("AgentTimeoutSeconds".to_owned(), scaled(300.0, self.speed)),
        ]);
        values.extend(self.overrides.clone());
        values
    }
}

/// A deadline for simulated things. A command's is not scaled: commands really run.
fn scaled(seconds: f64, speed: f64) -> String {
    (seconds / speed).ceil().max(SHORTEST_DEADLINE).to_string()
}

#[derive(Debug, Serialize)]
struct Artifact {
    bucket: &'static str,
    key: String,
}

/// Deploys, and returns the stack with its outputs.
pub(super) async fn deploy(
    aws: &Aws,
    helper: &Helper,
    dir: &StateDir,
    root: &Path,
    packages: &[Package],
    parameters: &Parameters<'_>,
) -> Result<StackState, StackError> {
    let mut artifacts = upload(aws, root, packages).await?;
    let list = dir.tmp().join("artifacts.json");
    write_json(&list, &artifacts)?;
    let template = helper.template(&root.join("template.yaml"), &list).await?;
    // A request takes a template of 51,200 bytes at most; an object may have more.
    let key = format!("template-{:.16x}.json", Sha256::digest(&template));
    aws.put_object(BUCKET, &key, template.into()).await?;
    let url = aws.object_url(BUCKET, &key);
    artifacts.insert(
        "template.yaml".to_owned(),
        Artifact {
            bucket: BUCKET,
            key,
        },
    );
    let state = create_or_update(aws, url, parameters).await?;
    forget_old_artifacts(aws, dir, &artifacts).await?;
    Ok(state)
}

/// Uploads what is not there yet; a key changes with its content.
async fn upload(
    aws: &Aws,
    root: &Path,
    packages: &[Package],
) -> Result<BTreeMap<String, Artifact>, StackError> {
    aws.create_bucket(BUCKET).await?;
    let definition = root.join(DEFINITION);
    let text = fs::read(&definition).map_err(StackError::file("read", definition))?;
    let key = format!("provision-{:.16x}.asl.json", Sha256::digest(&text));
    aws.put_object(BUCKET, &key, text.into()).await?;
    let mut artifacts = BTreeMap::from([(
        DEFINITION.to_owned(),
        Artifact {
            bucket: BUCKET,
            key,
        },
    )]);
    for package in packages {
        let key = package
            .zip
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !aws.object_exists(BUCKET, &key).await? {
            let zip = fs::read(&package.zip).map_err(StackError::file("read", &package.zip))?;
            aws.put_object(BUCKET, &key, zip.into()).await?;
        }
        artifacts.insert(
            package.binary.clone(),
            Artifact {
                bucket: BUCKET,
                key,
            },
        );
    }
    Ok(artifacts)
}

async fn create_or_update(
    aws: &Aws,
    template_url: String,
    parameters: &Parameters<'_>,
) -> Result<StackState, StackError> {
    let existing = aws.stack(NAME).await?;
    // A creation that was rolled back left nothing to update.
    let create = existing.is_none_or(|stack| {
        ["ROLLBACK_COMPLETE", "DELETE_COMPLETE"].contains(&&*stack.stack_status)
    });
    let mut form = vec![
        ("StackName".to_owned(), NAME.to_owned()),
        ("TemplateURL".to_owned(), template_url),
        (
            "Capabilities.member.1".to_owned(),
            "CAPABILITY_IAM".to_owned(),
        ),
        (
            "Capabilities.member.2".to_owned(),
            "CAPABILITY_AUTO_EXPAND".to_owned(),
        ),
    ];
    for (index, (key, value)) in parameters.values().into_iter().enumerate() {
        form.push((format!("Parameters.member.{}.ParameterKey", index + 1), key));
        form.push((
            format!("Parameters.member.{}.ParameterValue", index + 1),
            value,
        ));
    }
    match aws
        .deploy_stack(if create { "CreateStack" } else { "UpdateStack" }, &form)
        .await
    {
        // The answer to an update that changes nothing.
        Err(StackError::Refused { body, .. })
            if body.contains("No updates are to be performed") => {}
        Err(StackError::Refused { body, .. }) => return Err(StackError::Deploy { reason: body }),
        answer => answer?,
    }
    settled(aws).await
}

/// Waits until CloudFormation is done.
async fn settled(aws: &Aws) -> Result<StackState, StackError> {
    let until = Instant::now() + PATIENCE;
    loop {
        let state = aws.stack(NAME).await?.ok_or_else(|| StackError::Deploy {
            reason: "the stack is gone".into(),
        })?;
        match state.stack_status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => return Ok(state),
            status if !status.ends_with("_IN_PROGRESS") => {
                return Err(StackError::Deploy {
                    reason: failures(aws, status).await?,
                });
            }
            status if Instant::now() > until => {
                let reason = format!("it is still {status} after {PATIENCE:?}");
                return Err(StackError::Deploy { reason });
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

/// Which resources failed, and why.
async fn failures(aws: &Aws, status: &str) -> Result<String, StackError> {
    let events = aws.stack_events(NAME).await?;
    let failed = events
        .iter()
        .filter(|event| event.resource_status.ends_with("_FAILED"));
    let reasons = failed.map(|event| {
        format!(
            "\n  {}: {}",
            event.logical_resource_id, event.resource_status_reason
        )
    });
    Ok(format!("{status}{}", reasons.collect::<String>()))
}

/// Removes what earlier deploys uploaded: each build of the functions is some dozens of megabytes.
async fn forget_old_artifacts(
    aws: &Aws,
    dir: &StateDir,
    current: &BTreeMap<String, Artifact>,
) -> Result<(), StackError> {
    let previous = fs::read(dir.artifacts()).unwrap_or_default();
    let previous: Vec<String> = serde_json::from_slice(&previous).unwrap_or_default();
    let keys: Vec<&str> = current
        .values()
        .map(|artifact| artifact.key.as_str())
        .collect();
    for old in previous.iter().filter(|key| !keys.contains(&key.as_str())) {
        aws.delete_object(BUCKET, old).await?;
    }
    write_json(&dir.artifacts(), &keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_shrink_with_the_speed_but_not_below_what_calls_take() {
        assert_eq!(scaled(300.0, 1.0), "300");
        assert_eq!(scaled(300.0, 7.0), "43");
        assert_eq!(scaled(300.0, 20.0), "15");
        assert_eq!(scaled(300.0, 1_000.0), "5");
    }

    #[test]
    fn a_caller_may_set_any_parameter() {
        let overrides = BTreeMap::from([
            ("AgentTimeoutSeconds".to_owned(), "2".to_owned()),
            ("KeepFailedMinutes".to_owned(), "1".to_owned()),
        ]);
        let parameters = Parameters {
            launch_template_id: "lt-1",
            aggregator_url: "http://127.0.0.1:1",
            api_url: "http://127.0.0.1:2",
            speed: 20.0,
            overrides: &overrides,
        };
        let values = parameters.values();
        assert_eq!(values["AgentTimeoutSeconds"], "2");
        assert_eq!(values["RunningTimeoutSeconds"], "15");
        assert_eq!(values["KeepFailedMinutes"], "1");
        assert_eq!(values["PublicUrl"], "http://127.0.0.1:2");
        assert!(
            !values.contains_key("CommandTimeoutSeconds"),
            "commands really run: their deadline is not scaled"
        );
    }
}
