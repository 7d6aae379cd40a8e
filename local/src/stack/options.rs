//! How a stack is started.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::sim::SimConfig;

/// Is told what is going on while a stack starts, in plain sentences.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// Changes the simulator's settings before it starts.
pub type AdjustSim = Box<dyn FnOnce(&mut SimConfig) + Send>;

/// How to start a stack.
pub struct StackOptions {
    /// The front door's port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// How many times faster than real time simulated machines, state machine waits and the schedule are, from 1.
    pub speed: f64,
    /// Where everything is kept.
    pub state_dir: PathBuf,
    /// Parameters of template.yaml, over those that the stack sets.
    pub parameters: BTreeMap<String, String>,
    /// Changes the simulator's settings.
    pub adjust_sim: Option<AdjustSim>,
    /// Is told what is going on.
    pub progress: Progress,
}

impl StackOptions {
    /// A stack at real speed on a free port, which says nothing.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            port: 0,
            speed: 1.0,
            state_dir: state_dir.into(),
            parameters: BTreeMap::new(),
            adjust_sim: None,
            progress: Arc::new(|_| {}),
        }
    }
}

impl fmt::Debug for StackOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackOptions")
            .field("port", &self.port)
            .field("speed", &self.speed)
            .field("state_dir", &self.state_dir)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}
