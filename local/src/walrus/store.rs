//! Blobs on disk: one file each, named by its blob id.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};
use tokio::{fs::File, io::AsyncWriteExt};

use super::{Stored, WalrusError};

/// Begins the names of files that are still being written.
const UPLOAD: &str = ".upload-";

/// The folder of blobs.
#[derive(Debug, Clone)]
pub(super) struct Store {
    folder: Arc<PathBuf>,
    /// Removes the folder with the last user of the store.
    _temporary: Option<Arc<TempDir>>,
}

impl Store {
    /// Opens or makes the folder and removes uploads that were cut off.
    pub(super) async fn open(data_dir: Option<PathBuf>) -> Result<Self, WalrusError> {
        let (folder, temporary) = if let Some(folder) = data_dir {
            (folder, None)
        } else {
            let temporary = tempfile::tempdir().map_err(|source| WalrusError::Folder {
                path: std::env::temp_dir(),
                source,
            })?;
            (temporary.path().to_owned(), Some(Arc::new(temporary)))
        };
        clean(&folder).await.map_err(|source| WalrusError::Folder {
            path: folder.clone(),
            source,
        })?;
        Ok(Self {
            folder: Arc::new(folder),
            _temporary: temporary,
        })
    }

    /// Begins to write a blob.
    pub(super) fn begin(&self) -> io::Result<Upload> {
        let file = tempfile::Builder::new()
            .prefix(UPLOAD)
            .tempfile_in(&*self.folder)?;
        let out = File::from_std(file.reopen()?);
        Ok(Upload {
            folder: Arc::clone(&self.folder),
            file,
            out,
            hash: Sha256::new(),
            size: 0,
        })
    }

    /// A blob by its blob id: its file and size.
    pub(super) async fn find(&self, blob_id: &str) -> io::Result<Option<(File, u64)>> {
        match File::open(self.folder.join(blob_id)).await {
            Ok(file) => {
                let size = file.metadata().await?.len();
                Ok(Some((file, size)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The blob id behind an object id. The local stack holds few blobs: looking through their names is quick.
    pub(super) async fn blob_of(&self, object: &str) -> io::Result<Option<String>> {
        let mut entries = tokio::fs::read_dir(&*self.folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_blob_id(&name) && object_id(&name) == object {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

async fn clean(folder: &Path) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        if entry.file_name().to_string_lossy().starts_with(UPLOAD) {
            tokio::fs::remove_file(entry.path()).await?;
        }
    }
    Ok(())
}

/// A blob being written; dropped without [`Upload::finish`], it leaves nothing.
#[derive(Debug)]
pub(super) struct Upload {
    folder: Arc<PathBuf>,
    file: NamedTempFile,
    out: File,
    hash: Sha256,
    size: u64,
}

impl Upload {
    /// Bytes written so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Appends bytes.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        self.out.write_all(bytes).await
    }

    /// Makes the blob readable. Says also whether it is new.
    pub(super) async fn finish(mut self) -> io::Result<(Stored, bool)> {
        self.out.flush().await?;
        let blob_id = URL_SAFE_NO_PAD.encode(self.hash.finalize());
        let path = self.folder.join(&blob_id);
        let new = !tokio::fs::try_exists(&path).await?;
        self.file.persist(path).map_err(|error| error.error)?;
        let stored = Stored {
            object_id: object_id(&blob_id),
            blob_id,
            size: self.size,
        };
        Ok((stored, new))
    }
}

/// Whether a text has a blob id's form; what has is also a harmless file name.
pub(super) fn is_blob_id(text: &str) -> bool {
    text.len() == 43 && URL_SAFE_NO_PAD.decode(text).is_ok()
}

/// Whether a text has an object id's form.
pub(super) fn is_object_id(text: &str) -> bool {
    text.strip_prefix("0x")
        .is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn object_id(blob_id: &str) -> String {
    let hash = Sha256::digest(format!("object of {blob_id}"));
    format!("0x{hash:x}")
}
