//! Says when configuration files have changed.
//!
//! The operating system's notices wake it at once; since they get lost on some file systems and with some editors, it also
//! looks by itself every few seconds. What counts is the files' state: names, sizes, times and inodes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

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
    notices: Arc<Notify>,
    system: Option<RecommendedWatcher>,
}

impl Watcher {
    /// Watches `roots` (files, and directories with what is in them) and `files` that they refer to.
    pub fn new(roots: Vec<PathBuf>, files: Vec<PathBuf>) -> Self {
        let notices = Arc::new(Notify::new());
        let notify = Arc::clone(&notices);
        let system = notify::recommended_watcher(move |_| notify.notify_one()).ok();
        let mut watcher = Self {
            roots,
            files,
            seen: State::new(),
            notices,
            system,
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
            for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
                state.insert(entry.path(), stamp(&entry.path()));
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
