//! How often a password may be guessed. Tries are counted by user and address, before the password is looked at, so
//! that guesses made at once count as those made one after the other. From the thirteenth wrong one in a row on, each
//! is followed by a time in which no password is looked at.

use std::net::{IpAddr, Ipv6Addr};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// So many wrong tries in a row are free.
pub const FREE_TRIES: u32 = 12;
/// The first lock; each is twice as long as the one before.
const FIRST_LOCK: SignedDuration = SignedDuration::from_secs(30);
/// The longest lock.
const LONGEST_LOCK: SignedDuration = SignedDuration::from_mins(15);
/// After so long without a try, all are forgotten. Longer than any lock.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// The tries made from an address for a user since the last right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// How many: all of them count as wrong until one turns out right.
    pub wrong: u32,
    /// When the last one was made.
    pub last_at: Timestamp,
    /// Until when no password is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<Timestamp>,
}

impl Attempts {
    /// Nobody has tried for so long that they count no more.
    pub fn is_forgotten(&self, now: Timestamp) -> bool {
        now.duration_since(self.last_at) >= REMEMBERED
    }

    /// Until when no password is looked at.
    pub fn lock(&self, now: Timestamp) -> Option<Timestamp> {
        self.locked_until.filter(|until| now < *until)
    }
}

/// When the lock ends that the try of this number brings, unless it is the right one. The first is number 1.
pub fn lock_until(number: u32, now: Timestamp) -> Option<Timestamp> {
    let locks_before = number.checked_sub(FREE_TRIES + 1)?;
    // Five doublings reach the longest lock.
    let doubled = FIRST_LOCK * (1 << locks_before.min(5));
    Some(now + doubled.min(LONGEST_LOCK))
}

/// Seconds until then, rounded up: at least 1.
pub fn seconds_until(until: Timestamp, now: Timestamp) -> u32 {
    let millis = until.duration_since(now).as_millis().max(1);
    u32::try_from(millis.div_euclid(1000) + i128::from(millis % 1000 != 0)).unwrap_or(u32::MAX)
}

/// What of an address counts as one place to guess from. Whoever has an IPv6 address has its whole /64 (RFC 4291, section 2.5.1).
pub fn place(address: &str) -> String {
    match address
        .parse()
        .map(|address: IpAddr| address.to_canonical())
    {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(address)) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from_bits(network))
        }
        // API Gateway names one always; whatever else it is, one place.
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn lock_seconds(number: u32) -> Option<i64> {
        lock_until(number, now()).map(|until| until.duration_since(now()).as_secs())
    }

    #[test]
    fn twelve_tries_are_free_and_then_locks_double_up_to_fifteen_minutes() {
        assert!((0..=12).all(|number| lock_seconds(number).is_none()));
        let locks: Vec<_> = (13..=20).filter_map(lock_seconds).collect();
        assert_eq!(locks, [30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(lock_seconds(u32::MAX), Some(900));
    }

    #[test]
    fn a_lock_ends_and_tries_are_forgotten() {
        let until = now() + SignedDuration::from_secs(30);
        let attempts = Attempts {
            wrong: 13,
            last_at: now(),
            locked_until: Some(until),
        };
        assert_eq!(attempts.lock(now()), Some(until));
        assert_eq!(attempts.lock(until), None);
        assert!(!attempts.is_forgotten(now() + REMEMBERED - SignedDuration::from_millis(1)));
        assert!(attempts.is_forgotten(now() + REMEMBERED));
    }

    #[test]
    fn the_time_to_wait_is_never_too_short() {
        for (millis, seconds) in [
            (-5, 1),
            (0, 1),
            (1, 1),
            (1_000, 1),
            (1_001, 2),
            (30_000, 30),
        ] {
            let until = now() + SignedDuration::from_millis(millis);
            assert_eq!(seconds_until(until, now()), seconds, "{millis} ms");
        }
    }

    #[test]
    fn a_place_is_an_ipv4_address_or_an_ipv6_network() {
        for (address, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("unknown", "unknown"),
            ("203.0.113.7#x", "unknown"),
        ] {
            assert_eq!(place(address), expected, "{address}");
        }
    }
}
