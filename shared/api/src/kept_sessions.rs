//! What was read of sessions, kept between requests for a few seconds: that long a token may be withdrawn, or a user's
//! roles be others, before everybody knows.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::caller::Caller;

/// For so long what was read counts without asking again.
pub(crate) const FRESH: SignedDuration = SignedDuration::from_secs(15);
/// For so long it counts when asking again fails. A withdrawn token is to end within 30 s, whatever happens.
pub(crate) const USABLE: SignedDuration = SignedDuration::from_secs(30);
/// How many sessions are remembered.
pub(crate) const MOST: usize = 1_000;

/// Sessions by their ids.
#[derive(Default)]
pub(crate) struct KeptSessions(Mutex<HashMap<String, Kept>>);

struct Kept {
    /// Nothing when the session is over, which it then stays.
    caller: Option<Caller>,
    read_at: Timestamp,
}

impl KeptSessions {
    /// What was read of a session no longer ago than this.
    #[expect(clippy::option_option, reason = "not known, or known to be over")]
    pub(crate) fn get(
        &self,
        session: &str,
        age: SignedDuration,
        now: Timestamp,
    ) -> Option<Option<Caller>> {
        let kept = self.lock();
        let found = kept.get(session).filter(|it| it.is_within(age, now));
        found.map(|it| it.caller.clone())
    }

    /// Remembers what was just read, in place of what is too old or, when there is no other place, of the oldest.
    pub(crate) fn keep(&self, session: &str, caller: Option<Caller>, now: Timestamp) {
        let mut kept = self.lock();
        if kept.len() >= MOST && !kept.contains_key(session) {
            kept.retain(|_, it| it.is_within(USABLE, now));
            if kept.len() >= MOST {
                let oldest = kept.iter().min_by_key(|(_, it)| it.read_at);
                if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                    kept.remove(&oldest);
                }
            }
        }
        let read = Kept {
            caller,
            read_at: now,
        };
        kept.insert(session.to_owned(), read);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// A clock that was set back makes it old, not young.
    fn is_within(&self, age: SignedDuration, now: Timestamp) -> bool {
        (SignedDuration::ZERO..=age).contains(&now.duration_since(self.read_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn what_was_read_counts_for_a_while_also_that_a_session_is_over() {
        let kept = KeptSessions::default();
        kept.keep("a", Some(Caller::admin()), at(0));
        kept.keep("b", None, at(0));
        assert_eq!(kept.get("a", FRESH, at(15)), Some(Some(Caller::admin())));
        assert_eq!(kept.get("b", FRESH, at(15)), Some(None));
        assert_eq!(kept.get("a", FRESH, at(16)), None);
        assert_eq!(kept.get("a", USABLE, at(30)), Some(Some(Caller::admin())));
        assert_eq!(kept.get("a", USABLE, at(31)), None);
        assert_eq!(kept.get("a", USABLE, at(-1)), None, "a clock set back");
        assert_eq!(kept.get("c", USABLE, at(0)), None);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let kept = KeptSessions::default();
        for number in 0..MOST {
            let second = i64::try_from(number / 100).unwrap();
            kept.keep(&number.to_string(), Some(Caller::admin()), at(second));
        }
        kept.keep("new", Some(Caller::admin()), at(10));
        assert_eq!(kept.lock().len(), MOST);
        assert!(kept.get("new", FRESH, at(10)).is_some());
        let lost: Vec<_> = (0..MOST)
            .filter(|number| kept.get(&number.to_string(), FRESH, at(10)).is_none())
            .collect();
        assert!(
            lost.len() == 1 && lost[0] < 100,
            "the oldest goes: {lost:?}"
        );
        // What is too old goes all at once.
        kept.keep("newer", None, at(100));
        assert_eq!(kept.lock().len(), 1);
    }
}
