//! Where the sockets between this process and its Envoy are: all in one directory that only this user may enter.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::names;

/// Longest path of a Unix socket that every system takes (`sun_path` of macOS, less its end).
const MAX_PATH: usize = 103;
/// Length of the longest file name here.
const MAX_NAME: usize = "listener-0123456789abcdef.sock.new".len();
/// Directories of processes that died and had our process id.
const MAX_TRIES: u32 = 100;
/// Age from which on a directory in which nobody listens is left behind, and not just being made.
const YOUNG: Duration = Duration::from_secs(60);
const PROCESSOR: &str = "extproc.sock";

/// The directory and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    directory: PathBuf,
}

impl Places {
    /// Takes a directory into use; creates it where it does not exist.
    pub fn open(directory: &Path) -> io::Result<Self> {
        if directory.as_os_str().len() + 1 + MAX_NAME > MAX_PATH {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{} is too long for sockets in it; choose a shorter path",
                    directory.display()
                ),
            ));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let found = fs::metadata(directory)?;
        let is_ours = [rustix::process::geteuid().as_raw(), 0].contains(&found.uid());
        if !is_ours || found.permissions().mode() & 0o022 != 0 {
            // Whoever can put a file there can be the gateway to Envoy.
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "others may change {}; take a directory of your own",
                    directory.display()
                ),
            ));
        }
        Ok(Self {
            directory: fs::canonicalize(directory)?,
        })
    }

    /// A new directory that no other process has. Those of processes that died are removed.
    pub fn temporary() -> io::Result<Self> {
        let parent = std::env::var_os("XDG_RUNTIME_DIR")
            .filter(|path| !path.is_empty())
            .map_or_else(std::env::temp_dir, PathBuf::from);
        sweep(&parent, YOUNG);
        let mut last = None;
        for number in 0..MAX_TRIES {
            let directory = parent.join(format!("aigw-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&directory) {
                Ok(()) => return Self::open(&directory),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::AlreadyExists.into()))
    }

    /// Removes the directory with what is in it.
    pub fn remove(&self) {
        // What stays is a few empty files of this user.
        let _ = fs::remove_dir_all(&self.directory);
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The external processor and xDS.
    pub fn processor(&self) -> PathBuf {
        self.directory.join(PROCESSOR)
    }

    /// The native host that goes on with exchanges (path `extproc`).
    pub fn exchanges(&self) -> PathBuf {
        self.directory.join("exchanges.sock")
    }

    /// The native host in the place of a listener (path `local`).
    pub fn listener(&self, listener: &str) -> PathBuf {
        self.directory.join(names::listener_socket(listener))
    }

    /// Envoy's own administration.
    pub fn admin(&self) -> PathBuf {
        self.directory.join("envoy.sock")
    }
}

/// Removes the directories that [`Places::temporary`] made for processes of this user that died and left them.
fn sweep(parent: &Path, young: Duration) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_temporary = name.to_str().and_then(|name| name.strip_prefix("aigw-"));
        let is_temporary = is_temporary.is_some_and(|name| {
            let mut parts = name.split('-');
            let is_number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u32>().is_ok());
            is_number(parts.next()) && is_number(parts.next()) && parts.next().is_none()
        });
        if is_temporary && is_left(&entry, young) {
            // Whoever comes next tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a directory is ours, not just being made, and nobody listens in it. Process ids say nothing of that: they may be those of
/// another container.
fn is_left(entry: &fs::DirEntry, young: Duration) -> bool {
    // Of a link, this tells of the link.
    let Ok(found) = entry.metadata() else { return false };
    let age = found.modified().ok().and_then(|time| time.elapsed().ok());
    found.is_dir()
        && found.uid() == rustix::process::geteuid().as_raw()
        && age.is_some_and(|age| age >= young)
        && !listens(&entry.path().join(PROCESSOR))
}

/// Whether somebody listens on a Unix socket; one that is too busy to accept does.
fn listens(path: &Path) -> bool {
    let connected = Socket::new(Domain::UNIX, Type::STREAM, None).and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    });
    match connected {
        Ok(()) => true,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_private_and_must_be_short() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::open(&folder.path().join("a/b")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(places.directory()), 0o700);
        let own = Places::temporary().unwrap();
        assert_eq!(mode(own.directory()), 0o700);
        let other = Places::temporary().unwrap();
        assert_ne!(own, other);
        other.remove();
        own.remove();
        assert!(!own.directory().exists());
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        // A sticky one, too: others may come first with a name.
        for mode in [0o777, 0o1777, 0o770] {
            fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                Places::open(&open)
                    .unwrap_err()
                    .to_string()
                    .contains("others may"),
                "{mode:o}"
            );
        }
        let long = folder.path().join("x".repeat(100));
        assert!(Places::open(&long).unwrap_err().to_string().contains("too long"));
    }

    #[test]
    fn what_dead_processes_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let made = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let [dead, empty, alive, other] = ["aigw-7-0", "aigw-8-0", "aigw-9-1", "aigw-mine"].map(made);
        drop(std::os::unix::net::UnixListener::bind(dead.join(PROCESSOR)).unwrap());
        let _listening = std::os::unix::net::UnixListener::bind(alive.join(PROCESSOR)).unwrap();
        sweep(folder.path(), Duration::from_secs(60));
        assert!(dead.exists(), "it may be just being made");
        sweep(folder.path(), Duration::ZERO);
        assert!(!dead.exists() && !empty.exists());
        assert!(alive.exists() && other.exists());
    }
}
