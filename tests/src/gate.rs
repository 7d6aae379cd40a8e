//! Lets several Lambda invocations run at once in an order that a seed decides: each stops before each AWS call, and
//! when all have stopped, one is let through.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::random::Random;

/// The gate. It stops nobody unless it has a seed.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    order: Option<Random>,
    /// Invocations under way.
    active: usize,
    /// Those that stand before the gate, by invocation number.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

impl Gate {
    /// From now on, a seed decides the order.
    pub fn shuffle(&self, seed: u64) {
        self.lock().order = Some(Random::new(seed));
    }

    /// Whether a seed decides the order.
    pub fn is_shuffled(&self) -> bool {
        self.lock().order.is_some()
    }

    /// An invocation begins; it ends when what this answers is dropped.
    pub fn enter(&self, invocation: u64) -> Entered {
        self.lock().active += 1;
        Entered {
            gate: self.clone(),
            invocation,
        }
    }

    /// Returns when it is this invocation's turn.
    pub async fn pass(&self, invocation: u64) {
        let turn = {
            let mut state = self.lock();
            if state.order.is_none() {
                return;
            }
            let (sender, turn) = oneshot::channel();
            state.waiting.insert(invocation, sender);
            state.let_through();
            turn
        };
        // The sender is only dropped with the gate, and then there is nobody left to order.
        let _ = turn.await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn let_through(&mut self) {
        if self.waiting.is_empty() || self.waiting.len() < self.active {
            return;
        }
        let Some(order) = &mut self.order else {
            return;
        };
        let chosen = self
            .waiting
            .keys()
            .copied()
            .nth(order.below(self.waiting.len()));
        if let Some(sender) = chosen.and_then(|invocation| self.waiting.remove(&invocation)) {
            // It waits: who no longer does has left through its `Entered`.
            let _ = sender.send(());
        }
    }
}

/// An invocation under way.
#[derive(Debug)]
pub struct Entered {
    gate: Gate,
    invocation: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.active -= 1;
        state.waiting.remove(&self.invocation);
        state.let_through();
    }
}
