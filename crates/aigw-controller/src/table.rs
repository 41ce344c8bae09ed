//! Objects as they were last seen, by kind and place.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Namespace (empty for the cluster's objects) and name.
pub(crate) type Key = (String, String);

/// The objects of one watch.
#[derive(Debug)]
pub(crate) struct Table<T> {
    rows: RwLock<BTreeMap<Key, Arc<T>>>,
    synced: AtomicBool,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: RwLock::default(),
            synced: AtomicBool::new(false),
        }
    }
}

impl<T> Table<T> {
    /// Whether all objects have been seen once.
    pub(crate) fn synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    /// The object.
    pub(crate) fn row(&self, key: &Key) -> Option<Arc<T>> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.get(key).cloned()
    }

    /// All of them, in the order of their keys.
    pub(crate) fn rows(&self) -> Vec<(Key, Arc<T>)> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        rows.iter()
            .map(|(key, row)| (key.clone(), Arc::clone(row)))
            .collect()
    }

    /// Puts the object in; returns what was there.
    pub(crate) fn put(&self, key: Key, row: T) -> Option<Arc<T>> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        rows.insert(key, Arc::new(row))
    }

    /// Takes the object out; returns what was there.
    pub(crate) fn remove(&self, key: &Key) -> Option<Arc<T>> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        rows.remove(key)
    }

    /// Replaces all by what a list found; returns what was there.
    pub(crate) fn replace(&self, new: BTreeMap<Key, Arc<T>>) -> BTreeMap<Key, Arc<T>> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *rows, new);
        self.synced.store(true, Ordering::Release);
        old
    }
}
