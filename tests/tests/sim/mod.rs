//! The simulator, driven by the real AWS SDK: what the control plane depends on, it does as AWS does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod command_lists;
mod commands;
mod describe;
mod endpoints;
mod events;
mod faults;
mod figures;
mod groups;
mod idempotency;
mod images;
mod launch;
mod lifecycle;
mod machines;
mod persistence;
mod processes;
mod refusals;
mod scarcity;
mod spot;
mod starts;
mod templates;

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{BehaviorVersion, Region};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Filter, Instance, LaunchTemplateSpecification};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use haulout_local::sim::{
    Clock, Executor, LAUNCH_TEMPLATE_ID, ScriptedOutcome, Sim, SimConfig, SimHandle,
};

/// The seeded Amazon Linux images.
const X86: &str = "ami-0a1b2c3d4e5f60001";
const ARM: &str = "ami-0a1b2c3d4e5f60002";

/// A simulator and clients for it.
struct Lab {
    sim: SimHandle,
    ec2: aws_sdk_ec2::Client,
    ssm: aws_sdk_ssm::Client,
}

impl Lab {
    /// On a manual clock, with commands that succeed at once; `change` what is to be different.
    async fn new(change: impl FnOnce(&mut SimConfig)) -> Self {
        let mut config = SimConfig::new(
            Clock::manual(),
            Executor::succeeding(Duration::ZERO, "done"),
        );
        change(&mut config);
        Self::with(config).await
    }

    /// With commands that really run, below `directory`.
    async fn real(directory: &Path) -> Self {
        Self::new(|config| config.executor = real_executor(directory)).await
    }

    async fn with(config: SimConfig) -> Self {
        let sim = Sim::start(config).await.unwrap();
        let (ec2, ssm) = (ec2(&sim.url(), RetryConfig::disabled()), ssm(&sim.url()));
        Self { sim, ec2, ssm }
    }

    fn advance(&self, seconds: u64) {
        self.sim.clock().advance(Duration::from_secs(seconds));
    }

    /// Launches one instance from the seeded template.
    async fn launch(&self, token: &str) -> String {
        let launched = self
            .ec2
            .run_instances()
            .launch_template(seeded())
            .client_token(token);
        let launched = launched.min_count(1).max_count(1).send().await.unwrap();
        launched.instances()[0].instance_id().unwrap().to_owned()
    }

    /// Launches one whose agent is online.
    async fn online(&self, token: &str) -> String {
        let id = self.launch(token).await;
        self.advance(25);
        id
    }

    /// The one instance of that id.
    async fn describe(&self, id: &str) -> Instance {
        let answer = self
            .ec2
            .describe_instances()
            .instance_ids(id)
            .send()
            .await
            .unwrap();
        answer.reservations()[0].instances()[0].clone()
    }

    async fn state(&self, id: &str) -> String {
        self.describe(id)
            .await
            .state()
            .unwrap()
            .name()
            .unwrap()
            .to_string()
    }

    async fn terminate(&self, id: &str) {
        self.ec2
            .terminate_instances()
            .instance_ids(id)
            .send()
            .await
            .unwrap();
    }

    /// Sends a command of these lines, and lets the agent pick it up.
    async fn send(&self, id: &str, lines: &[&str]) -> String {
        let command = self.send_unpicked(id, lines, 60).await;
        self.advance(1);
        command
    }

    async fn send_unpicked(&self, id: &str, lines: &[&str], execution_timeout: u32) -> String {
        let sent = self
            .ssm
            .send_command()
            .document_name("AWS-RunShellScript")
            .instance_ids(id)
            .parameters(
                "commands",
                lines.iter().map(|line| (*line).to_owned()).collect(),
            )
            .parameters("executionTimeout", vec![execution_timeout.to_string()])
            .send()
            .await
            .unwrap();
        sent.command().unwrap().command_id().unwrap().to_owned()
    }

    async fn invocation(&self, id: &str, command: &str) -> Invocation {
        let answer = self
            .ssm
            .get_command_invocation()
            .command_id(command)
            .instance_id(id)
            .send()
            .await
            .unwrap();
        Invocation {
            status: answer.status().unwrap().to_string(),
            details: answer.status_details().unwrap().to_owned(),
            code: answer.response_code(),
            stdout: answer.standard_output_content().unwrap().to_owned(),
            stderr: answer.standard_error_content().unwrap().to_owned(),
        }
    }

    /// Waits until a command that really runs has ended.
    async fn ended(&self, id: &str, command: &str) -> Invocation {
        eventually("the command's end", async || {
            let invocation = self.invocation(id, command).await;
            let open =
                ["Pending", "InProgress", "Cancelling"].contains(&invocation.status.as_str());
            (!open).then_some(invocation)
        })
        .await
    }
}

/// What GetCommandInvocation answers, as far as tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Invocation {
    status: String,
    details: String,
    code: i32,
    stdout: String,
    stderr: String,
}

fn real_executor(directory: &Path) -> Executor {
    Executor::Real {
        machines_dir: machines_dir(directory),
    }
}

fn machines_dir(directory: &Path) -> PathBuf {
    directory.join("machines")
}

fn ec2(url: &str, retry: RetryConfig) -> aws_sdk_ec2::Client {
    let config = aws_sdk_ec2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(Duration::from_secs(20))
                .build(),
        )
        .retry_config(retry)
        .build();
    aws_sdk_ec2::Client::from_conf(config)
}

fn ssm(url: &str) -> aws_sdk_ssm::Client {
    let config = aws_sdk_ssm::Config::builder()
        .behavior_version(aws_sdk_ssm::config::BehaviorVersion::latest())
        .region(aws_sdk_ssm::config::Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .build();
    aws_sdk_ssm::Client::from_conf(config)
}

fn seeded() -> LaunchTemplateSpecification {
    LaunchTemplateSpecification::builder()
        .launch_template_id(LAUNCH_TEMPLATE_ID)
        .build()
}

fn filter(name: &str, values: &[&str]) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.iter().map(|v| (*v).to_owned()).collect()))
        .build()
}

fn outcome(seconds: u64, exit_code: i32, stdout: &str, stderr: &str) -> ScriptedOutcome {
    ScriptedOutcome {
        duration: Duration::from_secs(seconds),
        exit_code,
        stdout: stdout.into(),
        stderr: stderr.into(),
    }
}

/// The error's code and HTTP status.
fn refusal<T, E: ProvideErrorMetadata>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> (String, u16) {
    let Err(error) = result else {
        panic!("the call was not refused")
    };
    let status = error
        .raw_response()
        .map_or(0, |response| response.status().as_u16());
    (error.code().unwrap_or("none").to_owned(), status)
}

/// The error's code.
fn code<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E, HttpResponse>>) -> String {
    refusal(result).0
}

/// Waits, bounded, until `condition` has something to say.
async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(value) = condition().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain for {what}");
}
