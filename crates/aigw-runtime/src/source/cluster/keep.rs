//! The last good snapshot as a file, for a start while the API server is away. It holds credentials: readable for its owner
//! alone, and meant for a directory in memory.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aigw_config::shard::{Index, Payload, ShardError, unpack};

/// An index and its shards by slot.
type Kept = (Index, HashMap<u8, Payload>);

/// Where it is kept.
#[derive(Clone, Debug)]
pub(super) struct Keep {
    file: PathBuf,
}

impl Keep {
    pub(super) fn new(directory: &Path, base: &str) -> Self {
        Self {
            file: directory.join(format!("{base}.snapshot")),
        }
    }

    /// Writes it in one step, so that it is never half there.
    pub(super) fn write(&self, packed: &Payload) -> io::Result<()> {
        let partial = self.file.with_extension("partial");
        // One that was left behind may have other permissions.
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(packed.reveal())?;
        file.sync_all()?;
        fs::rename(&partial, &self.file)
    }

    /// Reads it; `None` when nothing was kept.
    pub(super) fn read(&self) -> Option<Result<Kept, String>> {
        match fs::read(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(error.to_string())),
            Ok(bytes) => Some(unpack(&Payload::new(bytes)).map_err(|error: ShardError| error.to_string())),
        }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::os::unix::fs::PermissionsExt as _;

    use aigw_config::shard::{FORMAT, Place, cut, pack};
    use aigw_config::{Credentials, Document};

    use super::*;

    #[test]
    fn a_snapshot_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::new(folder.path(), "aigw-main");
        assert!(keep.read().is_none());
        let cut = cut(
            "uid",
            &Document::default(),
            &Credentials::default(),
            &BTreeMap::new(),
            FORMAT,
        )
        .unwrap();
        let mut shards = HashMap::new();
        let mut index = None;
        for write in cut.writes(None, &BTreeSet::new()).unwrap() {
            match write.place {
                Place::Slot(slot) => drop(shards.insert(slot, write.bytes)),
                Place::Index => index = Some(Index::parse(write.bytes.reveal()).unwrap()),
            }
        }
        let index = index.unwrap();
        fs::write(folder.path().join("aigw-main.partial"), "left behind").unwrap();
        let packed = pack(&index, &shards).unwrap();
        keep.write(&packed).unwrap();
        keep.write(&packed).unwrap();
        assert_eq!(keep.read().unwrap().unwrap(), (index, shards));
        assert_eq!(
            fs::metadata(keep.file()).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::write(keep.file(), &packed.reveal()[..40]).unwrap();
        assert!(keep.read().unwrap().is_err());
    }
}
