//! Where a machine gets what is staged on it: a Walrus blob that anybody may read, or a package of the registry, which
//! it gets for a ticket.
//!
//! A ticket is good for one machine, once, for minutes: SSM keeps the command it travels in for weeks. What redeems it
//! first binds it to a word that only the machine knows, so that the machine may ask again when an answer was lost, and
//! whoever reads the command later comes too late.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::aggregators::AggregatorUrl;
use crate::{
    blob::BlobRef,
    digest,
    ids::MachineId,
    machine::Machine,
    package::{ObjectKey, PackageRef},
};

/// What to stage, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A Walrus blob, at the aggregators.
    Blob(BlobRef),
    /// A package, at the registry.
    Package {
        /// Its name.
        package: PackageRef,
        /// Where a ticket is redeemed.
        registry: ApiUrl,
        /// The machine's ticket.
        ticket: Ticket,
    },
}

/// Why a text is not the API's URL. Fit for whoever configures the deployment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not the API's URL: expected http:// or https://, a host, and nothing but a port and a path after it"
)]
pub struct ApiUrlError(String);

/// Where machines reach this deployment's API, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl(AggregatorUrl);

impl ApiUrl {
    /// Where POST takes a ticket.
    pub fn redeem(&self) -> String {
        format!("{}/tickets/redeem", self.0.as_str())
    }
}

impl FromStr for ApiUrl {
    type Err = ApiUrlError;

    fn from_str(text: &str) -> Result<Self, ApiUrlError> {
        let url = text.parse();
        let clipped = || text.chars().take(80).filter(|c| !c.is_control()).collect();
        url.map(Self).map_err(|_| ApiUrlError(clipped()))
    }
}

/// Why a text is no ticket. Fit for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not 64 hexadecimal digits in lower case, which tickets and redemptions are")]
pub struct TicketError;

/// A secret of 64 hexadecimal digits: a ticket, or the word it is bound to. Its `Debug` form says nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = r"^[0-9a-f]{64}$")]
pub struct Ticket(String);

impl Ticket {
    /// Of random bytes.
    pub fn of(random: [u8; 32]) -> Self {
        Self(digest::hex(&random))
    }

    /// The text form.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it: its SHA-256.
    pub fn fingerprint(&self) -> String {
        digest::sha256_hex(self.0.as_bytes())
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    fn from_str(text: &str) -> Result<Self, TicketError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TicketError)
        }
    }
}

impl TryFrom<String> for Ticket {
    type Error = TicketError;

    fn try_from(text: String) -> Result<Self, TicketError> {
        text.parse()
    }
}

impl From<Ticket> for String {
    fn from(ticket: Ticket) -> Self {
        ticket.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(redacted)")
    }
}

/// What a ticket stands for, kept under its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whose it is.
    pub machine: MachineId,
    /// In which of the machine's lives.
    pub cycle: u32,
    /// What it is for.
    pub package: PackageRef,
    /// Which archive of that name, where somebody was let have that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ObjectKey>,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// The fingerprint of the word it was redeemed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed_with: Option<String>,
}

/// Why a ticket is worth nothing. Fit for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketRefusal {
    /// Too late.
    #[error("the ticket has expired: create the machine again")]
    Expired,
    /// Somebody else was here first.
    #[error(
        "the ticket was redeemed before, with another word: somebody else may have used it. Create the machine again"
    )]
    Used,
    /// Its machine has no use for it any more.
    #[error(
        "the machine that the ticket was made for is not being set up any more, or was started anew since: create the machine again"
    )]
    Ended,
}

impl Grant {
    /// Whether its machine is still on the way up, in the same of its lives. Where exactly, its record may say late.
    pub fn check(&self, machine: Option<&Machine>) -> Result<(), TicketRefusal> {
        match machine {
            Some(machine)
                if machine.moved_on(self.cycle).is_none() && machine.closed_at.is_none() =>
            {
                Ok(())
            }
            _ => Err(TicketRefusal::Ended),
        }
    }

    /// Whether it is for the archive that is there now.
    pub fn is_for(&self, key: &ObjectKey) -> bool {
        self.key.as_ref().is_none_or(|granted| granted == key)
    }

    /// Redeems it. Again with the same word is the same; whether anything changed, the answer says.
    pub fn redeem(&mut self, word: &Ticket, now: Timestamp) -> Result<bool, TicketRefusal> {
        if now >= self.expires_at {
            return Err(TicketRefusal::Expired);
        }
        let word = word.fingerprint();
        match &self.redeemed_with {
            Some(bound) if *bound == word => Ok(false),
            Some(_) => Err(TicketRefusal::Used),
            None => {
                self.redeemed_with = Some(word);
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{status::Status, test_machines};

    fn ticket(digit: &str) -> Ticket {
        digit.repeat(64).parse().unwrap()
    }

    #[test]
    fn a_ticket_is_good_once_until_its_time_is_over() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut grant = Grant {
            machine: MachineId::generate(),
            cycle: 1,
            package: "model@1.0.0".parse().unwrap(),
            key: None,
            expires_at: "2026-01-01T00:05:00Z".parse().unwrap(),
            redeemed_with: None,
        };
        let unused = grant.clone();
        assert_eq!(grant.redeem(&ticket("a"), now), Ok(true));
        assert_eq!(grant.redeem(&ticket("a"), now), Ok(false));
        assert_eq!(grant.redeem(&ticket("b"), now), Err(TicketRefusal::Used));
        let late = grant.expires_at;
        for mut grant in [grant, unused] {
            let refused = grant.redeem(&ticket("a"), late);
            assert_eq!(refused, Err(TicketRefusal::Expired));
        }
    }

    #[test]
    fn a_ticket_is_for_a_machine_that_comes_up() {
        let machine = test_machines::launching();
        let grant = |cycle| Grant {
            machine: machine.id.clone(),
            cycle,
            package: "model@1.0.0".parse().unwrap(),
            key: None,
            expires_at: test_machines::at(300),
            redeemed_with: None,
        };
        // The command was sent, and the record does not say so yet.
        for status in [Status::WaitingForSsm, Status::FetchingBlob] {
            let mut machine = machine.clone();
            machine.status = status;
            assert_eq!(grant(1).check(Some(&machine)), Ok(()));
            let ended = Err(TicketRefusal::Ended);
            assert_eq!(grant(2).check(Some(&machine)), ended);
            machine.terminate("not wanted", test_machines::at(9));
            assert_eq!(grant(1).check(Some(&machine)), ended);
        }
        for status in [Status::Failed, Status::Terminated, Status::Ready] {
            let mut machine = machine.clone();
            machine.status = status;
            let ended = Err(TicketRefusal::Ended);
            assert_eq!(grant(1).check(Some(&machine)), ended, "{status}");
        }
        assert_eq!(grant(1).check(None), Err(TicketRefusal::Ended));
    }

    #[test]
    fn a_ticket_does_not_show_itself() {
        let ticket = Ticket::of([7; 32]);
        assert_eq!(ticket.expose(), "07".repeat(32));
        assert_eq!(format!("{ticket:?}"), "Ticket(redacted)");
        assert_ne!(ticket.fingerprint(), ticket.expose());
        for text in ["", "0", &"A".repeat(64), &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(text.parse::<Ticket>(), Err(TicketError), "{text}");
        }
    }

    #[test]
    fn only_a_plain_url_is_the_apis() {
        let url: ApiUrl = "https://abc.execute-api.us-east-1.amazonaws.com/"
            .parse()
            .unwrap();
        assert_eq!(
            url.redeem(),
            "https://abc.execute-api.us-east-1.amazonaws.com/tickets/redeem"
        );
        for text in ["", "ftp://a", "https://a b", "https://a?x", "https://u:p@a"] {
            assert!(text.parse::<ApiUrl>().is_err(), "{text}");
        }
    }
}
