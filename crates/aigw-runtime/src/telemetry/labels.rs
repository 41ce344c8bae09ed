//! Label values that clients or upstreams choose, kept to a bounded number.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Distinct values of one label; more become `other`.
const LIMIT: usize = 500;

/// The values seen so far.
#[derive(Debug, Default)]
pub(super) struct Bounded(Mutex<HashSet<String>>);

impl Bounded {
    /// The value itself while there is room, else `other`; absent values are `unknown`.
    pub(super) fn label(&self, value: Option<&str>) -> String {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return "unknown".to_owned();
        };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(value) {
            return value.to_owned();
        }
        if seen.len() >= LIMIT || value.len() > 256 {
            return "other".to_owned();
        }
        seen.insert(value.to_owned());
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_make_series_without_end() {
        let bounded = Bounded::default();
        for index in 0..LIMIT {
            assert_eq!(bounded.label(Some(&index.to_string())), index.to_string());
        }
        assert_eq!(bounded.label(Some("one more")), "other");
        assert_eq!(bounded.label(Some("7")), "7");
        assert_eq!(bounded.label(None), "unknown");
    }
}
