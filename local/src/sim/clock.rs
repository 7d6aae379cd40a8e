//! The simulated clock: real time scaled by a speed, or a manual one that a test advances.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// Where a manual clock starts unless told otherwise: 2026-01-01T00:00:00Z.
const MANUAL_START: i64 = 1_767_225_600;

/// A clock that simulated machines live by. Clones share the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    mode: Mode,
    anchor: Mutex<Anchor>,
    /// Told of every jump, so that waiters look again.
    moved: watch::Sender<()>,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// Simulated seconds per real second.
    Real(f64),
    Manual,
}

/// A simulated instant and the real one it belongs to.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    simulated: Timestamp,
    real: Instant,
}

impl Clock {
    /// Simulated time is the real time of this call, plus what has passed since then times `speed`.
    pub fn real(speed: f64) -> Self {
        Self::new(Mode::Real(speed), world_time())
    }

    /// A clock that stands still except for [`Clock::advance`].
    pub fn manual() -> Self {
        Self::new(Mode::Manual, Timestamp::constant(MANUAL_START, 0))
    }

    fn new(mode: Mode, start: Timestamp) -> Self {
        let anchor = Anchor {
            simulated: start,
            real: Instant::now(),
        };
        Self {
            inner: Arc::new(Inner {
                mode,
                anchor: Mutex::new(anchor),
                moved: watch::Sender::new(()),
            }),
        }
    }

    /// The simulated time.
    pub fn now(&self) -> Timestamp {
        let anchor = self.anchor();
        anchor
            .simulated
            .saturating_add(signed(self.simulated_since(anchor.real)))
            .unwrap_or(Timestamp::MAX)
    }

    /// The time that machines report to callers: the world's on a real clock, whatever its speed; the simulated one on
    /// a manual clock. A caller compares launch times with its own clock, which is not sped up.
    pub fn wall(&self) -> Timestamp {
        match self.inner.mode {
            Mode::Real(_) => world_time(),
            Mode::Manual => self.now(),
        }
    }

    /// Jumps forward by `by` (simulated time). A manual clock moves in no other way.
    pub fn advance(&self, by: Duration) {
        let to = self
            .now()
            .saturating_add(signed(by))
            .unwrap_or(Timestamp::MAX);
        self.not_before(to);
    }

    /// Jumps forward to `instant` unless it is past already.
    pub(super) fn not_before(&self, instant: Timestamp) {
        if self.now() < instant {
            *self.lock() = Anchor {
                simulated: instant,
                real: Instant::now(),
            };
            self.inner.moved.send_replace(());
        }
    }

    /// Simulated seconds per real second; `None` for a manual clock.
    pub fn speed(&self) -> Option<f64> {
        match self.inner.mode {
            Mode::Real(speed) => Some(speed),
            Mode::Manual => None,
        }
    }

    /// Whether time passes at all: a speed must be a positive number.
    pub(super) fn is_sound(&self) -> bool {
        self.speed()
            .is_none_or(|speed| speed.is_finite() && speed > 0.0)
    }

    /// Waits until the simulated time is `instant` or later.
    pub async fn reached(&self, instant: Timestamp) {
        let mut moved = self.inner.moved.subscribe();
        while self.now() < instant {
            // The sender lives in `self`, so that `changed` cannot fail here.
            match self.inner.mode {
                Mode::Real(speed) => {
                    let left = instant.duration_since(self.now()).unsigned_abs();
                    let real = Duration::try_from_secs_f64(left.as_secs_f64() / speed)
                        .unwrap_or(Duration::MAX);
                    // Rounding must not turn the last nanoseconds into a busy loop.
                    let real = real.max(Duration::from_millis(1));
                    let _ = tokio::time::timeout(real, moved.changed()).await;
                }
                Mode::Manual => {
                    let _ = moved.changed().await;
                }
            }
        }
    }

    /// Told of every jump of the clock.
    pub(super) fn jumps(&self) -> watch::Receiver<()> {
        self.inner.moved.subscribe()
    }

    fn simulated_since(&self, real: Instant) -> Duration {
        match self.inner.mode {
            Mode::Real(speed) => Duration::try_from_secs_f64(real.elapsed().as_secs_f64() * speed)
                .unwrap_or(Duration::ZERO),
            Mode::Manual => Duration::ZERO,
        }
    }

    fn anchor(&self) -> Anchor {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Anchor> {
        self.inner
            .anchor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that is passed around"
)]
fn world_time() -> Timestamp {
    Timestamp::now()
}

/// `by` as jiff's duration; longer than anything simulated is cut.
pub(super) fn signed(by: Duration) -> SignedDuration {
    SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX)
}

/// `instant` plus `by`, at most the end of time.
pub(super) fn after(instant: Timestamp, by: Duration) -> Timestamp {
    instant.saturating_add(signed(by)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_advanced() {
        let clock = Clock::manual();
        let start = clock.now();
        assert_eq!(clock.now(), start);
        clock.clone().advance(Duration::from_secs(90));
        assert_eq!(clock.now(), after(start, Duration::from_secs(90)));
        assert_eq!(clock.wall(), clock.now());
    }

    #[test]
    fn a_real_clock_can_be_moved_forward_but_never_back() {
        let clock = Clock::real(1.0);
        let later = after(clock.now(), Duration::from_hours(1));
        clock.not_before(later);
        assert!(clock.now() >= later);
        clock.not_before(Timestamp::UNIX_EPOCH);
        assert!(clock.now() >= later);
    }

    #[test]
    fn a_speed_must_be_positive() {
        assert!(Clock::real(20.0).is_sound());
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(!Clock::real(speed).is_sound(), "{speed}");
        }
    }

    #[tokio::test]
    async fn waiting_ends_when_the_clock_is_advanced() {
        let clock = Clock::manual();
        let until = after(clock.now(), Duration::from_secs(10));
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move { clock.reached(until).await }
        });
        clock.advance(Duration::from_secs(4));
        assert!(!waiting.is_finished());
        clock.advance(Duration::from_secs(6));
        assert!(waiting.await.is_ok());
    }
}
