//! A Walrus aggregator and publisher for the local stack: the HTTP interface that staging relies on, over files on
//! this computer, with faults on demand.
//!
//! Ids are made up: the blob id is the SHA-256 of the bytes, the object id a hash of that. Walrus derives both otherwise,
//! so that nothing here may hold a blob id against the bytes.

mod answer;
mod body;
mod faults;
mod range;
mod routes;
mod store;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinHandle};

pub use self::faults::{Fault, FaultRule, Faults};
use self::store::Store;

/// How to start.
#[derive(Debug, Clone, Default)]
pub struct WalrusConfig {
    /// Where blobs are kept; without it, in a temporary folder that ends with the server.
    pub data_dir: Option<PathBuf>,
    /// The loopback port; 0 takes a free one.
    pub port: u16,
}

/// Why the aggregator could not do something.
#[derive(Debug, thiserror::Error)]
pub enum WalrusError {
    /// The folder for blobs.
    #[error("cannot use the folder for blobs {path}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The port.
    #[error("cannot listen on port {port} of 127.0.0.1: give another port or stop what uses it")]
    Listen {
        /// Which.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A blob could not be written.
    #[error("cannot store a blob")]
    Store(#[source] io::Error),
}

/// A blob that is stored, as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// 43 characters of URL-safe base64.
    pub blob_id: String,
    /// `0x` and 64 hexadecimal digits.
    pub object_id: String,
    /// The blob's size in bytes.
    pub size: u64,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `GET`, `HEAD` or `PUT`.
    pub method: String,
    /// The path.
    pub path: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// The answer's status.
    pub status: u16,
}

/// The most requests remembered; later ones are answered all the same.
const MAX_SEEN: usize = 10_000;

/// What the routes share.
#[derive(Debug)]
struct Shared {
    store: Store,
    faults: Faults,
    seen: Mutex<Vec<Seen>>,
}

/// A running aggregator and publisher. Dropping it stops it.
#[derive(Debug)]
pub struct Walrus {
    url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Walrus {
    /// Starts on 127.0.0.1. Must run inside a Tokio runtime.
    pub async fn start(config: WalrusConfig) -> Result<Self, WalrusError> {
        let shared = Arc::new(Shared {
            store: Store::open(config.data_dir).await?,
            faults: Faults::default(),
            seen: Mutex::default(),
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, config.port));
        let listen = |source| WalrusError::Listen {
            port: config.port,
            source,
        };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let url = format!("http://{}", listener.local_addr().map_err(listen)?);
        let router = routes::router(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the Walrus aggregator stopped");
            }
        });
        Ok(Self {
            url,
            shared,
            server,
        })
    }

    /// The base URL for reading.
    pub fn aggregator_url(&self) -> &str {
        &self.url
    }

    /// The base URL for writing; the same server.
    pub fn publisher_url(&self) -> &str {
        &self.url
    }

    /// Stores a blob without the way over HTTP.
    pub async fn put(&self, bytes: impl Into<Bytes>) -> Result<Stored, WalrusError> {
        let mut upload = self.shared.store.begin().map_err(WalrusError::Store)?;
        upload
            .write(&bytes.into())
            .await
            .map_err(WalrusError::Store)?;
        let (stored, _) = upload.finish().await.map_err(WalrusError::Store)?;
        Ok(stored)
    }

    /// What goes wrong on purpose.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The requests answered so far, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Walrus {
    fn drop(&mut self) {
        self.server.abort();
    }
}
