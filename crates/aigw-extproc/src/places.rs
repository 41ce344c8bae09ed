//! Where the sockets between this process and its Envoy are: all in one directory that only this user may enter.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::names;

/// Longest path of a Unix socket that every system takes (`sun_path` of macOS, less its end).
const MAX_PATH: usize = 103;
/// Length of the longest file name here.
const MAX_NAME: usize = "listener-0123456789abcdef.sock.new".len();
/// Directories of processes that died and had our process id.
const MAX_TRIES: u32 = 100;

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
        let mode = fs::metadata(directory)?.permissions().mode();
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
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

    /// A new directory that no other process has.
    pub fn temporary() -> io::Result<Self> {
        let parent = std::env::var_os("XDG_RUNTIME_DIR")
            .filter(|path| !path.is_empty())
            .map_or_else(std::env::temp_dir, PathBuf::from);
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
        self.directory.join("extproc.sock")
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
        assert!(
            Places::open(&open)
                .unwrap_err()
                .to_string()
                .contains("others may")
        );
        let long = folder.path().join("x".repeat(100));
        assert!(Places::open(&long).unwrap_err().to_string().contains("too long"));
    }
}
