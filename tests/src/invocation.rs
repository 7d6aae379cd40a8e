//! One invocation of a Lambda function in the test world. AWS calls made while it runs know whose they are, and it can
//! be killed at any of them.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use tokio::sync::Notify;

use crate::faults::Fate;

tokio::task_local! {
    static CURRENT: Arc<Invocation>;
}

/// An invocation.
#[derive(Debug)]
pub struct Invocation {
    /// Counted from 0 in each world.
    pub number: u64,
    /// `provision.launch`, `refresh.schedule`, …
    pub function: String,
    /// After how many AWS calls it dies.
    dies_after: Option<u32>,
    /// After how many AWS calls it stalls.
    stalls_after: Option<u32>,
    performed: AtomicU32,
    dead: Notify,
    stalled: Notify,
    has_stalled: AtomicBool,
    resumed: Notify,
}

impl Invocation {
    /// An invocation that meets its fate.
    pub fn new(number: u64, function: &str, fate: Option<Fate>) -> Arc<Self> {
        let (dies_after, stalls_after) = match fate {
            Some(Fate::Killed { after_calls, .. }) => (Some(after_calls), None),
            Some(Fate::Stalled { after_calls, .. }) => (None, Some(after_calls)),
            _ => (None, None),
        };
        Arc::new(Self {
            number,
            function: function.to_owned(),
            dies_after,
            stalls_after,
            performed: AtomicU32::new(0),
            dead: Notify::new(),
            stalled: Notify::new(),
            has_stalled: AtomicBool::new(false),
            resumed: Notify::new(),
        })
    }

    /// The invocation that the running code belongs to; nothing for a test's own calls.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Runs a function's work; nothing if it was killed.
    pub async fn run<T>(self: Arc<Self>, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            answer = CURRENT.scope(Arc::clone(&self), work) => Some(answer),
            () = self.dead.notified() => None,
        }
    }

    /// An AWS call took effect.
    pub fn performed(&self) {
        self.performed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many AWS calls took effect.
    pub fn calls(&self) -> u32 {
        self.performed.load(Ordering::Relaxed)
    }

    /// Returns when it stalls.
    pub async fn stalls(&self) {
        self.stalled.notified().await;
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.resumed.notify_one();
    }

    /// Never returns if this is where it dies: whoever runs it drops it. Returns later if this is where it stalls.
    pub async fn survive(&self) {
        let calls = Some(self.calls());
        if self.stalls_after == calls && !self.has_stalled.swap(true, Ordering::Relaxed) {
            self.stalled.notify_one();
            self.resumed.notified().await;
        }
        if self.dies_after == calls {
            self.dead.notify_one();
            std::future::pending::<()>().await;
        }
    }
}
