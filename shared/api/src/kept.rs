//! What was fetched from somewhere, kept between requests and fetched again when it is old. One request at a time fetches,
//! and does not wait long for it; those that can go on with what is known do so meanwhile. What failed, or took too long,
//! is not tried by each request.

use std::{
    error::Error,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use haulout_aws::{clock::Clock, telemetry::error_chain};
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

/// The shortest time between two fetches.
const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// After this it is fetched again, so that what was withdrawn stops working everywhere.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// What could not be fetched again is good for this long: another service's bad minutes are not ours.
const STALE: SignedDuration = SignedDuration::from_hours(1);
/// What a request waits for when there is something to go on with.
const PATIENCE: Duration = Duration::from_secs(3);
/// And when there is nothing.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// A value that is fetched when it is needed.
pub struct Kept<T> {
    /// Its name, for the log.
    what: &'static str,
    state: Mutex<State<T>>,
    /// Held by whoever fetches.
    turn: tokio::sync::Mutex<()>,
    /// How long a fetch may take when something is known, and when nothing is.
    patience: [Duration; 2],
}

struct State<T> {
    value: Option<(T, Timestamp)>,
    last_try: Option<Timestamp>,
}

/// There is no value.
#[derive(Debug)]
pub enum Unread<E> {
    /// The fetch failed.
    Failed(E),
    /// There was no, or no whole, fetch.
    Not(NotRead),
}

/// Why there was no fetch that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    /// It was given up.
    #[error("it took too long to fetch")]
    Late,
    /// The last one was too short a time ago.
    #[error("it could not be fetched a moment ago")]
    NotYet,
}

/// An error of any kind.
type AnyError = Box<dyn Error + Send + Sync>;

impl<E: Into<AnyError>> Unread<E> {
    /// As an error.
    pub fn into_error(self) -> AnyError {
        match self {
            Self::Failed(error) => error.into(),
            Self::Not(error) => error.into(),
        }
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("what", &self.what)
            .finish_non_exhaustive()
    }
}

impl<T: Clone> Kept<T> {
    /// Nothing yet.
    pub const fn new(what: &'static str) -> Self {
        Self {
            what,
            state: Mutex::new(State {
                value: None,
                last_try: None,
            }),
            turn: tokio::sync::Mutex::const_new(()),
            patience: [PATIENCE, LAST_PATIENCE],
        }
    }

    /// The same, for which a fetch may take this long.
    #[cfg(test)]
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self {
            patience: [patience; 2],
            ..self
        }
    }

    /// The value, fetched again when it is old, or when it does not serve. It may then serve as little as before.
    ///
    /// # Errors
    /// When there is none that was fetched within the hour.
    pub async fn get<E: Into<AnyError>>(
        &self,
        clock: &Clock,
        serves: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Unread<E>> {
        let now = clock.now();
        let known = self.within(STALE, now).filter(|value| serves(value));
        let turn = match known {
            Some(value) if self.within(FRESH, now).is_some() => return Ok(value),
            // Whoever can go on does not wait for another's fetch.
            Some(value) => match self.turn.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(value),
            },
            None => self.turn.lock().await,
        };
        // Another request may have fetched it in the meantime.
        let failure = if self.may_try(clock.now()) {
            self.fetch(clock, fetch).await.err()
        } else {
            None
        };
        drop(turn);
        let Some(value) = self.within(STALE, clock.now()) else {
            return Err(failure.unwrap_or(Unread::Not(NotRead::NotYet)));
        };
        if let Some(failure) = failure {
            let error = failure.into_error();
            tracing::warn!(
                what = self.what,
                error = error_chain(&*error),
                "it could not be fetched again; what is known goes on"
            );
        }
        Ok(value)
    }

    async fn fetch<E>(
        &self,
        clock: &Clock,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Result<(), Unread<E>> {
        let began = clock.now();
        // Now, in case this request is given up, and again when it is known how long it took.
        self.lock().last_try = Some(began);
        let [short, long] = self.patience;
        let is_known = self.within(STALE, began).is_some();
        let fetched = timeout(if is_known { short } else { long }, fetch).await;
        let mut state = self.lock();
        state.last_try = Some(clock.now());
        match fetched {
            Ok(Ok(value)) => {
                state.value = Some((value, began));
                Ok(())
            }
            Ok(Err(error)) => Err(Unread::Failed(error)),
            Err(_) => Err(Unread::Not(NotRead::Late)),
        }
    }

    /// The value, when it was fetched no longer ago than this. A clock that was set back makes it old, not young.
    fn within(&self, age: SignedDuration, now: Timestamp) -> Option<T> {
        let state = self.lock();
        let (value, fetched) = state.value.as_ref()?;
        let is_within = (SignedDuration::ZERO..=age).contains(&now.duration_since(*fetched));
        is_within.then(|| value.clone())
    }

    fn may_try(&self, now: Timestamp) -> bool {
        self.lock().last_try.is_none_or(|last| {
            !(SignedDuration::ZERO..MIN_INTERVAL).contains(&now.duration_since(last))
        })
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
