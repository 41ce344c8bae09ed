//! Where a listener takes its connections: at its own address, or on a private Unix socket that stands for it.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aigw_config::Listener;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::server::Accept;

/// Where the listeners of a gateway are.
#[derive(Clone, Debug)]
pub enum Place {
    /// At their addresses, for clients.
    Addresses,
    /// Each on a Unix socket, for a proxy in front that is trusted to say who the client is.
    Sockets {
        /// A directory that only this user may enter.
        directory: PathBuf,
        /// File name of a listener's socket.
        name: fn(&str) -> String,
    },
}

/// What accepts connections.
#[derive(Debug)]
pub(super) enum Entrance {
    /// An address.
    Tcp(TcpListener),
    /// A Unix socket and its file.
    Unix(UnixListener, PathBuf),
}

/// A connection that was accepted.
pub(super) enum Arrived {
    /// From a client.
    Tcp(TcpStream, IpAddr),
    /// From the proxy in front.
    Unix(UnixStream),
}

impl Place {
    /// Where this listener is, for people.
    pub(super) fn of(&self, listener: &Listener) -> String {
        match self {
            Self::Addresses => listener.address.clone(),
            Self::Sockets { directory, name } => directory.join(name(&listener.name)).display().to_string(),
        }
    }

    pub(super) async fn open(&self, listener: &Listener) -> io::Result<Entrance> {
        match self {
            Self::Addresses => TcpListener::bind(&listener.address).await.map(Entrance::Tcp),
            Self::Sockets { directory, name } => {
                let path = directory.join(name(&listener.name));
                bind_socket(&path).map(|socket| Entrance::Unix(socket, path))
            }
        }
    }
}

impl Entrance {
    /// The real address; a socket has none.
    pub(super) fn address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(socket) => socket.local_addr().map(Some),
            Self::Unix(..) => Ok(None),
        }
    }

    /// Takes a socket's file away; connections that were made stay.
    pub(super) fn unlink(&self) {
        if let Self::Unix(_, path) = self {
            // Whoever starts next replaces a file that is left behind.
            let _ = fs::remove_file(path);
        }
    }
}

impl Accept for Entrance {
    type Arrived = Arrived;

    async fn accept(&self) -> io::Result<Arrived> {
        match self {
            Self::Tcp(socket) => socket
                .accept()
                .await
                .map(|(stream, peer)| Arrived::Tcp(stream, peer.ip().to_canonical())),
            Self::Unix(socket, _) => Accept::accept(socket).await.map(Arrived::Unix),
        }
    }
}

impl Accept for UnixListener {
    type Arrived = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        Self::accept(self).await.map(|(stream, _)| stream)
    }
}

/// Listens on a Unix socket that only this user can connect to. A socket that nobody listens on any more is replaced; one
/// that is in use is an error.
pub fn bind_socket(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file that is no socket is in the way",
            ));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "another process serves this socket",
            ));
        }
        _ => {}
    }
    // Under its own name only once nobody else can connect.
    let unready = path.with_extension("new");
    let _ = fs::remove_file(&unready);
    let socket = UnixListener::bind(&unready)?;
    fs::set_permissions(&unready, fs::Permissions::from_mode(0o600))?;
    fs::rename(&unready, path)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sockets_are_private_and_only_dead_ones_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let first = bind_socket(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(bind_socket(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        let second = bind_socket(&path).unwrap();
        let (client, server) = tokio::join!(UnixStream::connect(&path), second.accept());
        assert!(client.is_ok() && server.is_ok());
        let file = folder.path().join("b.sock");
        fs::write(&file, "kept").unwrap();
        assert_eq!(
            bind_socket(&file).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&file).unwrap(), b"kept");
    }
}
