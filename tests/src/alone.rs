//! Tests that want the whole computer take turns: what runs in real time must not wait for what uses every core.

use tokio::sync::Mutex;

/// Held by such a test while it runs.
pub static ALONE: Mutex<()> = Mutex::const_new(());
