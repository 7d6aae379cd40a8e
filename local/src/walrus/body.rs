//! A piece of a file as a response's body, with the ways in which it may end early.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
    sync::mpsc,
};

/// What to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// The first byte.
    pub(super) start: u64,
    /// How many bytes; promised in `Content-Length`.
    pub(super) len: u64,
    /// After how many bytes something goes wrong, if that is before the end.
    pub(super) ends: Option<(u64, End)>,
    /// Whether every byte is sent wrong.
    pub(super) wrong: bool,
}

/// How a body ends early.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// The connection breaks.
    Break,
    /// Nothing more comes.
    Stall,
}

/// Time for the bytes before a break to leave.
const FLUSH: Duration = Duration::from_millis(50);

/// Bytes read from a file while they are sent.
pub(super) struct FileBody {
    frames: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl FileBody {
    /// Starts to read.
    pub(super) fn new(file: File, piece: Piece) -> Self {
        let (send, frames) = mpsc::channel(2);
        tokio::spawn(async move {
            if let Err(error) = feed(file, piece, &send).await {
                // The receiver is gone when the client is; nobody is left to tell.
                let _ = send.send(Err(error)).await;
            }
        });
        Self {
            frames,
            left: piece.len,
        }
    }
}

async fn feed(
    mut file: File,
    piece: Piece,
    send: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    file.seek(io::SeekFrom::Start(piece.start)).await?;
    let good = piece
        .ends
        .map_or(piece.len, |(bytes, _)| bytes.min(piece.len));
    let mut file = file.take(good);
    loop {
        let mut bytes = Vec::with_capacity(64 * 1024);
        if file.read_buf(&mut bytes).await? == 0 {
            break;
        }
        if piece.wrong {
            for byte in &mut bytes {
                *byte ^= 0x5a;
            }
        }
        if send.send(Ok(bytes.into())).await.is_err() {
            return Ok(());
        }
    }
    match piece.ends {
        Some((_, End::Stall)) => send.closed().await,
        Some((_, End::Break)) => {
            // The server forgets what it has not written out when it is told of the end.
            tokio::time::sleep(FLUSH).await;
            return Err(io::Error::other("broken off on purpose"));
        }
        None => {}
    }
    Ok(())
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        this.frames.poll_recv(context).map(|frame| {
            frame.map(|frame| {
                frame.map(|bytes| {
                    this.left = this.left.saturating_sub(bytes.len() as u64);
                    Frame::data(bytes)
                })
            })
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
