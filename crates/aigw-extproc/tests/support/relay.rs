//! Stands between Envoy and the processor's socket, so that a test can take the processor away.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Bytes go through.
    Open,
    /// As a process that was stopped: connections stand, and nothing moves.
    Frozen,
    /// As a process that has ended: connections are cut.
    Gone,
}

/// Carries between `front` and `back` as long as it lives.
pub struct Relay {
    pub mode: watch::Sender<Mode>,
}

impl Relay {
    pub fn between(front: &Path, back: PathBuf) -> Self {
        let mode = watch::Sender::new(Mode::Open);
        let watched = mode.subscribe();
        let socket = UnixListener::bind(front).unwrap();
        let back = Arc::new(back);
        tokio::spawn(async move {
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                tokio::spawn(carry(stream, Arc::clone(&back), watched.clone()));
            }
        });
        Self { mode }
    }
}

async fn carry(front: UnixStream, back: Arc<PathBuf>, mut mode: watch::Receiver<Mode>) {
    if *mode.borrow() == Mode::Gone {
        return;
    }
    mode.wait_for(|mode| *mode == Mode::Open).await.unwrap();
    let (mut front_in, mut front_out) = front.into_split();
    let (mut back_in, mut back_out) = UnixStream::connect(&*back).await.unwrap().into_split();
    let mut gone = mode.clone();
    tokio::select! {
        () = one_way(&mut front_in, &mut back_out, mode.clone()) => {}
        () = one_way(&mut back_in, &mut front_out, mode) => {}
        _ = gone.wait_for(|mode| *mode == Mode::Gone) => {}
    }
}

async fn one_way(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    mut mode: watch::Receiver<Mode>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        mode.wait_for(|mode| *mode == Mode::Open).await.unwrap();
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
