//! POST /tickets/redeem: a machine's ticket for a link to its package's archive. The ticket is all it has to show.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use haulout_api::{Code, Json, Problem};
use haulout_aws::store::{Redeemed, StoreError};
use haulout_domain::{
    package::PackageState,
    staging::{Grant, Ticket, TicketRefusal},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Link, Packages, refusal};

/// For how long a machine may begin to download parts of the archive, at the least...
const SHORTEST: Duration = Duration::from_mins(1);
/// ...and at the most: longer than any staging command runs.
const LONGEST: Duration = Duration::from_hours(4);

/// What a machine sends.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemTicket {
    /// The ticket: 64 hexadecimal digits, in lower case.
    pub ticket: Ticket,
    /// A word of the machine's own, of the same form. Only with it the ticket can be redeemed again.
    pub redemption: Ticket,
}

/// Redeem a machine's ticket.
///
/// For machines that stage a package. A ticket is good once, for minutes; the same machine may repeat its request.
#[utoipa::path(
    post,
    path = "/tickets/redeem",
    tag = "packages",
    request_body = RedeemTicket,
    responses(
        (status = 200, body = Link),
        (status = 404, description = "No such ticket, or not any more", body = haulout_api::problem::ProblemBody),
        (status = 410, description = "It has expired, was redeemed by somebody else, or its machine is not being set up any more", body = haulout_api::problem::ProblemBody),
    )
)]
pub(crate) async fn redeem(
    State(packages): State<Arc<Packages>>,
    Json(body): Json<RedeemTicket>,
) -> Result<Json<Link>, Problem> {
    let now = packages.clock.now();
    let redeemed = packages
        .store
        .redeem_ticket(&body.ticket, &body.redemption, now)
        .await
        .map_err(store)?;
    let grant = match redeemed {
        Redeemed::Good(grant) => grant,
        Redeemed::Refused(refusal) => return Err(refused(refusal)),
        Redeemed::Unknown => {
            let detail =
                "There is no such ticket, or its time is long over. Create the machine again.";
            return Err(Problem::new(Code::UnknownTicket, detail));
        }
    };
    let machine = packages.store.get(&grant.machine).await.map_err(store)?;
    grant.check(machine.as_ref()).map_err(refused)?;
    let package = packages.find_package(&grant.package).await?;
    if !grant.is_for(&package.key) {
        tracing::warn!(machine_id = %grant.machine, package = %grant.package, "a ticket for an archive that was replaced");
        let detail = "The package was deleted, and there is another one of its name since the machine was asked for. Create the machine again.";
        return Err(Problem::new(Code::TicketRefused, detail));
    }
    let package = packages.seen(package).await?;
    if package.state != PackageState::Ready {
        return Err(refusal::unknown_package(&grant.package));
    }
    tracing::info!(machine_id = %grant.machine, cycle = grant.cycle, package = %grant.package, "ticket redeemed");
    packages.count("redeem", "allowed");
    packages.link(package, lasts(&grant, now)).await
}

/// As long as the ticket itself: by then the command has ended that it came in.
fn lasts(grant: &Grant, now: Timestamp) -> Duration {
    let left = Duration::try_from(grant.expires_at.duration_since(now)).unwrap_or_default();
    left.clamp(SHORTEST, LONGEST)
}

fn refused(refusal: TicketRefusal) -> Problem {
    tracing::warn!(reason = %refusal, "a ticket was refused");
    Problem::new(Code::TicketRefused, refusal::sentence(&refusal.to_string()))
}

fn store(error: StoreError) -> Problem {
    match error {
        StoreError::Aws(error) => error.into(),
        error => Problem::internal(error),
    }
}
