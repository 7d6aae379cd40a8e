//! One invocation of a Lambda function in the test world. AWS calls made while it runs know whose they are, and it can
//! be killed at any of them.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::sync::Notify;

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
    performed: AtomicU32,
    dead: Notify,
}

impl Invocation {
    /// An invocation that dies after so many AWS calls took effect, if at all.
    pub fn new(number: u64, function: &str, dies_after: Option<u32>) -> Arc<Self> {
        Arc::new(Self {
            number,
            function: function.to_owned(),
            dies_after,
            performed: AtomicU32::new(0),
            dead: Notify::new(),
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

    /// Never returns if this is where it dies: whoever runs it drops it.
    pub async fn survive(&self) {
        if self.dies_after == Some(self.calls()) {
            self.dead.notify_one();
            std::future::pending::<()>().await;
        }
    }
}
