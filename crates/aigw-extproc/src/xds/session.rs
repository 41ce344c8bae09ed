//! One Envoy's stream as a state machine: its requests and our goals in, the next response out.
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/api-docs/xds_protocol>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use envoy_types::pb::google::protobuf::Any;

use super::goal::Goal;
use super::resources::Kind;

/// What an Envoy says to a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub kind: Kind,
    /// The goal that the response was a part of.
    pub sequence: u64,
    pub version: String,
    /// Envoy's words, when it refuses.
    pub refusal: Option<String>,
}

/// One Envoy's stream.
#[derive(Debug, Default)]
pub(super) struct Session {
    goal: Option<Arc<Goal>>,
    channels: BTreeMap<Kind, Channel>,
    nonce: u64,
}

#[derive(Debug, Default)]
struct Channel {
    /// What Envoy asks for; where a kind is asked for whole, nothing.
    names: BTreeSet<String>,
    sent: Option<Sent>,
    /// Envoy asks again for what it was sent, as it does for a cluster that is made anew.
    again: bool,
}

#[derive(Debug)]
struct Sent {
    nonce: String,
    sequence: u64,
    version: String,
    resources: BTreeMap<String, Any>,
    is_answered: bool,
}

impl Session {
    /// Takes another goal.
    pub fn aim(&mut self, goal: Arc<Goal>) {
        self.goal = Some(goal);
    }

    /// Takes what Envoy says.
    pub fn request(&mut self, request: DiscoveryRequest) -> Option<Verdict> {
        let kind = Kind::of(&request.type_url)?;
        let channel = self.channels.entry(kind).or_default();
        channel.names = request.resource_names.into_iter().collect();
        let sent = channel.sent.as_mut()?;
        if sent.nonce != request.response_nonce {
            // Said before it had the last response; the answer to that is still to come.
            return None;
        }
        if sent.is_answered {
            channel.again = true;
            return None;
        }
        sent.is_answered = true;
        Some(Verdict {
            kind,
            sequence: sent.sequence,
            version: sent.version.clone(),
            refusal: request.error_detail.map(|status| status.message),
        })
    }

    /// What is to be sent now, until there is nothing.
    pub fn next(&mut self) -> Option<DiscoveryResponse> {
        let goal = Arc::clone(self.goal.as_ref()?);
        let kind = Kind::ALL
            .into_iter()
            .find(|&kind| self.may_send(&goal, kind) && self.owes(&goal, kind))?;
        let channel = self.channels.get_mut(&kind)?;
        self.nonce += 1;
        channel.again = false;
        let wanted = channel.wanted(&goal, kind);
        let sent = channel.sent.insert(Sent {
            nonce: self.nonce.to_string(),
            sequence: goal.sequence,
            version: goal.version(kind),
            resources: wanted,
            is_answered: false,
        });
        Some(DiscoveryResponse {
            version_info: sent.version.clone(),
            resources: sent.resources.values().cloned().collect(),
            type_url: kind.type_url().to_owned(),
            nonce: sent.nonce.clone(),
            ..DiscoveryResponse::default()
        })
    }

    /// The goal that Envoy has said something to in all its parts.
    pub fn completed(&self) -> Option<u64> {
        let goal = self.goal.as_ref()?;
        Kind::ALL
            .into_iter()
            .all(|kind| self.is_settled(goal, kind) && self.is_asked_for(goal, kind))
            .then_some(goal.sequence)
    }

    /// What a kind refers to is there first.
    fn may_send(&self, goal: &Goal, kind: Kind) -> bool {
        match kind {
            Kind::Cluster | Kind::Endpoint | Kind::Secret => true,
            Kind::Listener => self.is_settled(goal, Kind::Cluster) && self.is_settled(goal, Kind::Endpoint),
            Kind::Route => self.is_settled(goal, Kind::Cluster) && self.is_settled(goal, Kind::Listener),
        }
    }

    /// Whether Envoy waits for this kind, or has it otherwise than the goal says.
    fn owes(&self, goal: &Goal, kind: Kind) -> bool {
        let Some(channel) = self.channels.get(&kind) else {
            return false;
        };
        match &channel.sent {
            None => channel.is_subscribed(kind),
            Some(sent) if !sent.is_answered => false,
            Some(_) => channel.again || channel.differs(goal, kind),
        }
    }

    /// Whether Envoy has answered to what the goal says of this kind, as far as it has asked.
    fn is_settled(&self, goal: &Goal, kind: Kind) -> bool {
        let Some(channel) = self.channels.get(&kind) else {
            return !kind.is_whole();
        };
        match &channel.sent {
            None => !channel.is_subscribed(kind),
            Some(sent) => sent.is_answered && !channel.again && !channel.differs(goal, kind),
        }
    }

    /// Whether Envoy has asked for all that is there of this kind.
    fn is_asked_for(&self, goal: &Goal, kind: Kind) -> bool {
        kind.is_whole()
            || goal.resources.all(kind).keys().all(|name| {
                self.channels
                    .get(&kind)
                    .is_some_and(|channel| channel.names.contains(name))
            })
    }
}

impl Channel {
    fn is_subscribed(&self, kind: Kind) -> bool {
        kind.is_whole() || !self.names.is_empty()
    }

    fn wanted(&self, goal: &Goal, kind: Kind) -> BTreeMap<String, Any> {
        if kind.is_whole() {
            return goal.all(kind);
        }
        self.names
            .iter()
            .filter_map(|name| Some((name.clone(), goal.find(kind, name)?.clone())))
            .collect()
    }

    fn differs(&self, goal: &Goal, kind: Kind) -> bool {
        let Some(sent) = &self.sent else { return true };
        let wanted = self.wanted(goal, kind);
        match kind.is_whole() {
            true => wanted != sent.resources,
            // Nobody takes back what is not asked for any more.
            false => wanted
                .iter()
                .any(|(name, resource)| sent.resources.get(name) != Some(resource)),
        }
    }
}

#[cfg(test)]
mod tests;
