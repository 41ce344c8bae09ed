//! Series found again without building their labels: most requests are like one before.

use std::collections::HashMap;
use std::hash::BuildHasher;

use aigw_engine::UsageRecord;
use foldhash::quality::RandomState;

use super::metrics::Series;

/// Kinds of requests that are remembered; the labels themselves are bounded elsewhere.
const LIMIT: usize = 4_096;

/// What makes requests be of one kind.
#[derive(Debug, PartialEq, Eq)]
struct Kind {
    operation: &'static str,
    texts: [Option<String>; 7],
}

/// Series by kind of request.
#[derive(Debug, Default)]
pub(super) struct SeriesCache {
    hasher: RandomState,
    known: HashMap<u64, Vec<(Kind, Series)>, RandomState>,
    count: usize,
}

impl SeriesCache {
    /// The series of requests like `record`; made by `make` when there is none yet.
    pub(super) fn find(&mut self, record: &UsageRecord, make: impl FnOnce() -> Series) -> &mut Series {
        let texts = [
            record.provider.as_deref(),
            record.model.as_deref(),
            record.upstream_model.as_deref(),
            record.response_model.as_deref(),
            record.backend.as_deref(),
            record.route.as_deref(),
            record.error_code.as_deref(),
        ];
        if self.count >= LIMIT {
            // Starting anew costs little and keeps strangers' model names from piling up.
            self.known.clear();
            self.count = 0;
        }
        let hash = self.hasher.hash_one((record.operation, texts));
        let entry = self.known.entry(hash).or_default();
        let same = |kind: &Kind| {
            kind.operation == record.operation
                && kind
                    .texts
                    .iter()
                    .zip(texts)
                    .all(|(known, text)| known.as_deref() == text)
        };
        let index = match entry.iter().position(|(kind, _)| same(kind)) {
            Some(index) => index,
            None => {
                let kind = Kind {
                    operation: record.operation,
                    texts: texts.map(|text| text.map(str::to_owned)),
                };
                entry.push((kind, make()));
                self.count += 1;
                entry.len() - 1
            }
        };
        &mut entry[index].1
    }
}
