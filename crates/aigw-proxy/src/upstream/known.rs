//! What is known of one endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use aigw_config::Place;

use super::host::Host;

/// What is known of one endpoint: found by name, and at its places.
#[derive(Clone, Default)]
pub(super) struct Known {
    named: Option<Arc<Host>>,
    at: HashMap<Place, Arc<Host>>,
}

impl Known {
    pub(super) fn get(&self, at: Option<&Place>) -> Option<&Arc<Host>> {
        match at {
            None => self.named.as_ref(),
            Some(at) => self.at.get(at),
        }
    }

    pub(super) fn put(&mut self, host: &Arc<Host>) {
        match &host.at {
            None => self.named.get_or_insert_with(|| Arc::clone(host)),
            Some(at) => self.at.entry(at.clone()).or_insert_with(|| Arc::clone(host)),
        };
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.named.iter().chain(self.at.values())
    }

    /// The same without some; `None` when nothing is left.
    pub(super) fn without(&self, gone: &[*const Host]) -> Option<Self> {
        let stays = |host: &Arc<Host>| !gone.contains(&Arc::as_ptr(host));
        let at = self.at.iter().filter(|(_, host)| stays(host));
        let kept = Self {
            named: self.named.clone().filter(stays),
            at: at.map(|(at, host)| (at.clone(), Arc::clone(host))).collect(),
        };
        (kept.named.is_some() || !kept.at.is_empty()).then_some(kept)
    }
}
