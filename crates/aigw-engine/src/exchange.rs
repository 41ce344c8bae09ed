//! The exchange.

use std::sync::Arc;
use std::time::Instant;

use aigw_config::Snapshot;

use crate::effect::Effects;
use crate::event::{Event, Inputs};
use crate::shared::Shared;

/// One client request from its head to its usage record.
#[derive(Debug)]
pub struct Exchange {
    snapshot: Arc<Snapshot>,
    shared: Arc<Shared>,
}

impl Exchange {
    /// An exchange that will be served by `snapshot` to its end.
    pub fn new(snapshot: Arc<Snapshot>, shared: Arc<Shared>) -> Self {
        Self { snapshot, shared }
    }

    /// Takes an event and appends what the host must do.
    pub fn on(&mut self, event: Event, inputs: Inputs<'_>, effects: &mut Effects) {
        let _ = (event, inputs, effects, &self.snapshot, &self.shared);
    }

    /// When [`Event::Deadline`] is due, if nothing else happens before.
    pub fn deadline(&self) -> Option<Instant> {
        None
    }
}
