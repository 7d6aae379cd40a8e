//! The ports of the parts, kept from start to start: what is kept elsewhere may name them.

use serde::{Deserialize, Serialize};

use super::dirs::{self, StateDir};
use super::emulator::Emulator;
use super::error::StackError;
use crate::sim::SimHandle;
use crate::walrus::Walrus;

/// The ports of the last start: what is kept may name them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Ports {
    pub(super) emulator: Option<u16>,
    pub(super) sim: Option<u16>,
    pub(super) walrus: Option<u16>,
}

impl Ports {
    pub(super) fn of_last_start(dir: &StateDir) -> Self {
        // Without them, or with what cannot be read, free ones are taken.
        let text = std::fs::read(dir.ports()).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(super) fn remember(
        dir: &StateDir,
        emulator: &Emulator,
        sim: &SimHandle,
        walrus: &Walrus,
    ) -> Result<(), StackError> {
        let port = |url: &str| url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let ports = Self {
            emulator: Some(emulator.port),
            sim: port(&sim.url()),
            walrus: port(walrus.aggregator_url()),
        };
        dirs::write_json(&dir.ports(), &ports)
    }
}
