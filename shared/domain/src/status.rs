//! The words for where a machine is: the workflow's status, EC2's state, and what is wanted.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares a closed set of words: serde, text form and parsing agree on the same spelling. The spelling is a
/// `tt` because utoipa does not see through a `literal`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $text:tt,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word used in JSON, in the store and in logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = $crate::status::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::status::UnknownWord> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::status::UnknownWord { what: $what, allowed: &[$($text),*] }),
                }
            }
        }
    };
}

/// A word outside the set it should be from; the text lists the set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what}: expected one of {}", allowed.join(", "))]
pub struct UnknownWord {
    pub(crate) what: &'static str,
    pub(crate) allowed: &'static [&'static str],
}

pub(crate) use words;

words! {
    /// Where a machine is in its life. The first five words are those of the earlier walrus-manager service.
    Status, "status" {
        /// EC2 is launching the instance.
        WaitingForInstance = "waiting_for_instance",
        /// The instance runs; its SSM agent has not reported yet.
        WaitingForSsm = "waiting_for_ssm",
        /// The staging command is on the machine.
        FetchingBlob = "fetching_blob",
        /// Staging ended with success (or there was nothing to stage and the status checks passed).
        Ready = "ready",
        /// Provisioning ended without success; the record's `error` says why.
        Failed = "failed",
        /// The machine is to end, and EC2 has not yet said that it did.
        Terminating = "terminating",
        /// EC2 said so.
        Terminated = "terminated",
        /// The machine is to stop, and EC2 has not yet said that it did.
        Stopping = "stopping",
        /// EC2 said so. Its volumes are kept, and paid for.
        Stopped = "stopped",
        /// EC2 is starting the instance again.
        Starting = "starting",
        /// EC2 takes a spot instance back, two minutes after saying so.
        Interrupted = "interrupted",
        /// In the pool: coming up.
        Warming = "warming",
        /// In the pool: ready to be handed out.
        Idle = "idle",
        /// In the pool: a project has it.
        Claimed = "claimed",
        /// In the pool: on its way out.
        Draining = "draining",
    }
}

impl Status {
    /// An execution of the state machine is, or should be, working on a machine in this status: it is being
    /// brought up, by a launch or by a start.
    pub const fn is_provisioning(self) -> bool {
        matches!(
            self,
            Self::WaitingForInstance | Self::WaitingForSsm | Self::FetchingBlob | Self::Starting
        )
    }
}

words! {
    /// What is wanted of a machine, kept apart from what is observed.
    Desired, "desired state" {
        /// It should come up and stay.
        Running = "running",
        /// It should be stopped, its volumes kept.
        Stopped = "stopped",
        /// It should be gone; whatever works on it sees this at its next step and unwinds.
        Terminated = "terminated",
    }
}

words! {
    /// Where a machine comes from.
    Source, "source" {
        /// POST /instances.
        Launch = "launch",
        /// The warm pool.
        Pool = "pool",
    }
}

words! {
    /// How EC2 sells the instance.
    #[derive(Default)]
    Market, "market" {
        /// At the list price, until it is ended.
        #[default]
        OnDemand = "on-demand",
        /// From spare capacity, at the price of the moment; EC2 may take it back.
        Spot = "spot",
    }
}

words! {
    /// A processor architecture, in EC2's words.
    Architecture, "architecture" {
        /// Intel and AMD.
        X86 = "x86_64",
        /// Graviton and other ARM processors.
        Arm = "arm64",
    }
}

words! {
    /// An EBS volume type that can be a root volume (EC2 API, `EbsBlockDevice`).
    VolumeType, "volume type" {
        /// General purpose SSD.
        Gp3 = "gp3",
        /// General purpose SSD, the generation before.
        Gp2 = "gp2",
        /// Provisioned IOPS SSD; needs a launch template that says how many.
        Io1 = "io1",
        /// Provisioned IOPS SSD; needs a launch template that says how many.
        Io2 = "io2",
        /// Magnetic, of the first generation.
        Standard = "standard",
    }
}

words! {
    /// What to do with the instance of a machine that failed.
    OnFailure, "on_failure" {
        /// End it at once.
        Terminate = "terminate",
        /// Leave it for inspection, for a limited time.
        Keep = "keep",
    }
}

words! {
    /// EC2's own state of an instance (EC2 API, `InstanceState`).
    InstanceState, "instance state" {
        /// Being prepared.
        Pending = "pending",
        /// Running.
        Running = "running",
        /// Being shut down for termination.
        ShuttingDown = "shutting-down",
        /// Gone for good.
        Terminated = "terminated",
        /// Being stopped.
        Stopping = "stopping",
        /// Stopped; can be started again.
        Stopped = "stopped",
    }
}

impl InstanceState {
    /// The instance will not come (back) up by itself.
    pub const fn is_down(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_agree_with_json() {
        for status in Status::ALL {
            let json = serde_json::to_string(status).expect("a status is a string");
            assert_eq!(json, format!("\"{status}\""));
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        let error = "gone".parse::<Desired>().expect_err("not a word");
        assert_eq!(
            error.to_string(),
            "unknown desired state: expected one of running, stopped, terminated"
        );
    }
}
