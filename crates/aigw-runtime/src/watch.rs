//! Says when configuration files have changed.
//!
//! The operating system's notices wake it at once; since they get lost on some file systems and with some editors, it also
//! looks by itself every few seconds. What counts is the files' state: names, sizes, times and inodes.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::source::is_configuration;

/// Between two looks without a notice.
const PERIOD: Duration = Duration::from_secs(3);
/// A change is complete when nothing more changes for this long.
const SETTLE: Duration = Duration::from_millis(100);

type State = BTreeMap<PathBuf, Option<(SystemTime, u64, u64)>>;

/// Watches files and directories.
#[derive(Debug)]
pub struct Watcher {
    roots: Vec<PathBuf>,
    files: Vec<PathBuf>,
    seen: State,
    names: Arc<Names>,
    notices: Arc<Notify>,
    system: Option<RecommendedWatcher>,
}

/// What the watched files are called.
#[derive(Debug, Default)]
struct Names(Mutex<(HashSet<OsString>, bool)>);

impl Names {
    /// `all`: whether every configuration file in a directory is watched, too.
    fn set(&self, names: HashSet<OsString>, all: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (names, all);
    }

    /// Whether a notice may be about these files. Directories are busy: a log is written beside them, and a look is a notice, too.
    fn concern(&self, event: &Event) -> bool {
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Data(_)) => {
                let (names, all) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let concerns = |path: &PathBuf| {
                    path.file_name().is_some_and(|name| names.contains(name))
                        || (*all && is_configuration(path))
                };
                event.paths.iter().any(concerns)
            }
            EventKind::Access(_) => false,
            // A file may be reached through what is made, moved or removed under another name.
            _ => true,
        }
    }
}

impl Watcher {
    /// Watches `roots` (files, and directories with what is in them) and `files` that they refer to.
    pub fn new(roots: Vec<PathBuf>, files: Vec<PathBuf>) -> Self {
        let notices = Arc::new(Notify::new());
        let names = Arc::new(Names::default());
        let (notify, ours) = (Arc::clone(&notices), Arc::clone(&names));
        let system = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| !ours.concern(&event)) {
                return;
            }
            notify.notify_one();
        });
        let mut watcher = Self {
            roots,
            files,
            seen: State::new(),
            names,
            notices,
            system: system.ok(),
        };
        watcher.subscribe();
        watcher.seen = watcher.look();
        watcher
    }

    /// Watches these files in place of those before. What is known of files that stay is kept, so that a change between their
    /// reading and this call is not missed.
    pub fn watch(&mut self, files: &[PathBuf]) {
        if self.files == files {
            return;
        }
        let before = std::mem::replace(&mut self.files, files.to_vec());
        self.subscribe();
        for gone in before
            .iter()
            .filter(|path| !files.contains(path) && !self.roots.contains(path))
        {
            self.seen.remove(gone);
        }
        for path in files.iter().filter(|path| !before.contains(path)) {
            self.seen.entry(path.clone()).or_insert_with(|| stamp(path));
        }
    }

    /// Completes when something has changed and then rested.
    pub async fn changed(&mut self) {
        loop {
            let _ = tokio::time::timeout(PERIOD, self.notices.notified()).await;
            let mut now = self.look();
            if now == self.seen {
                continue;
            }
            loop {
                tokio::time::sleep(SETTLE).await;
                let later = self.look();
                if later == now {
                    break;
                }
                now = later;
            }
            self.seen = now;
            return;
        }
    }

    /// Directories are watched, not files: editors and mounted Secrets replace files by renaming.
    fn subscribe(&mut self) {
        let paths = self.roots.iter().chain(&self.files);
        let names = paths.filter_map(|path| path.file_name().map(OsString::from));
        self.names
            .set(names.collect(), self.roots.iter().any(|root| root.is_dir()));
        let Some(system) = &mut self.system else { return };
        for path in self.roots.iter().chain(&self.files) {
            let directory = if path.is_dir() {
                Some(path.as_path())
            } else {
                path.parent()
            };
            let directory = directory
                .filter(|path| !path.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            // A directory that cannot be watched is still looked at every few seconds.
            let _ = system.watch(directory, RecursiveMode::NonRecursive);
        }
    }

    fn look(&self) -> State {
        let mut state = State::new();
        for path in self.roots.iter().chain(&self.files) {
            state.insert(path.clone(), stamp(path));
        }
        for directory in self.roots.iter().filter(|root| root.is_dir()) {
            for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
                let path = entry.path();
                if is_configuration(&path) {
                    let stamp = stamp(&path);
                    state.insert(path, stamp);
                }
            }
        }
        state
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64, u64)> {
    let found = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&found);
    #[cfg(not(unix))]
    let inode = 0;
    Some((found.modified().ok()?, found.len(), inode))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn changes_additions_and_replacements_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "one").unwrap();
        let mut watcher = Watcher::new(vec![folder.path().to_owned()], Vec::new());
        std::fs::write(&file, "three").unwrap();
        watcher.changed().await;
        std::fs::write(folder.path().join("b.yaml"), "new").unwrap();
        watcher.changed().await;
        std::fs::write(folder.path().join("c.tmp"), "three").unwrap();
        std::fs::rename(folder.path().join("c.tmp"), &file).unwrap();
        watcher.changed().await;
    }

    #[tokio::test]
    async fn looks_and_neighbours_wake_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "one").unwrap();
        let mut log = std::fs::File::create(folder.path().join("aigw.log")).unwrap();
        for root in [folder.path(), &file] {
            let mut watcher = Watcher::new(vec![root.to_owned()], Vec::new());
            for _ in 0..20 {
                watcher.look();
                log.write_all(b"a line\n").unwrap();
            }
            let woken = tokio::time::timeout(Duration::from_millis(300), watcher.notices.notified()).await;
            assert!(woken.is_err(), "{}", root.display());
            assert_eq!(watcher.look(), watcher.seen);
            std::fs::write(&file, root.as_os_str().as_encoded_bytes()).unwrap();
            watcher.changed().await;
        }
    }

    #[tokio::test]
    async fn a_change_before_the_files_are_named_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        std::fs::write(&file, "one").unwrap();
        let mut watcher = Watcher::new(vec![file.clone()], Vec::new());
        std::fs::write(&file, "three").unwrap();
        watcher.watch(&[file.clone(), folder.path().join("key")]);
        watcher.changed().await;
    }
}
