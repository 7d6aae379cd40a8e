//! Keeps what a command writes: the beginning in memory, more of it in a file, the rest is read and dropped.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

/// How much of each stream is kept on disk, so that a chatty command cannot fill it.
const FILE_BYTES: usize = 8 * 1_024 * 1_024;
/// How much is kept in memory: more than Systems Manager's characters, at four bytes each.
const MEMORY_BYTES: usize = 128 * 1_024;

/// A stream being captured.
pub(super) struct Capture {
    kept: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
}

impl Capture {
    /// Reads `stream` to its end, into memory and `file`.
    pub(super) fn start(stream: impl AsyncRead + Send + Unpin + 'static, file: &Path) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(copy(stream, file.to_owned(), Arc::clone(&kept)));
        Self { kept, task }
    }

    /// Waits until everyone who holds the stream has closed it: the command, and what it left behind with it.
    pub(super) async fn ended(&mut self) {
        // A task that panicked has nothing more to say; what it kept remains.
        let _ = (&mut self.task).await;
    }

    /// What was captured so far; capturing ends.
    pub(super) fn finish(self) -> String {
        self.task.abort();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).into_owned()
    }
}

async fn copy(
    mut stream: impl AsyncRead + Unpin,
    path: std::path::PathBuf,
    kept: Arc<Mutex<Vec<u8>>>,
) {
    let mut file = match tokio::fs::File::create(&path).await {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a command's output is not kept on disk");
            None
        }
    };
    let (mut buffer, mut written) = (vec![0; 16 * 1_024], 0);
    loop {
        let read = match stream.read(&mut buffer).await {
            Ok(0) => return,
            Ok(read) => &buffer[..read],
            Err(error) => {
                tracing::warn!(%error, "a command's output cannot be read");
                return;
            }
        };
        {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let room = MEMORY_BYTES.saturating_sub(kept.len()).min(read.len());
            kept.extend_from_slice(&read[..room]);
        }
        let room = FILE_BYTES.saturating_sub(written).min(read.len());
        if let Some(open) = &mut file
            && room > 0
        {
            let result = async {
                open.write_all(&read[..room]).await?;
                open.flush().await
            };
            if let Err(error) = result.await {
                tracing::warn!(path = %path.display(), %error, "a command's output is not kept on disk");
                file = None;
            }
        }
        written += room;
    }
}
