//! A listener of a Gateway as routes see it: which ones it lets in, and under which host names.

use std::collections::BTreeMap;

use aigw_api::{GatewayListener, ParentReference};

use crate::index::Key;
use crate::selector::Selector;

/// A listener that serves.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) gateway: Key,
    pub(crate) section: String,
    pub(crate) port: u16,
    pub(crate) hostname: Option<String>,
    pub(crate) allowed: Allowed,
    /// Name of the listener of the document.
    pub(crate) listener: String,
}

/// Namespaces whose routes are let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// The Gateway's own.
    Same,
    /// All.
    All,
    /// Those whose labels fit.
    Selected(Selector),
    /// None.
    None,
}

impl Allowed {
    /// What the listener says. `Err` when that cannot be read.
    pub(crate) fn of(listener: &GatewayListener) -> Result<Self, String> {
        let namespaces = listener
            .allowed_routes
            .as_ref()
            .and_then(|allowed| allowed.namespaces.as_ref());
        let from = namespaces.and_then(|namespaces| namespaces.from.as_deref());
        match from.unwrap_or("Same") {
            "Same" => Ok(Self::Same),
            "All" => Ok(Self::All),
            "Selector" => {
                let selector = namespaces.and_then(|namespaces| namespaces.selector.as_ref());
                Selector::of(selector).map(Self::Selected)
            }
            "None" => Ok(Self::None),
            other => Err(format!("`{other}` is unknown; write Same, All, Selector or None")),
        }
    }

    /// Whether routes of `namespace`, with these labels, are let in by a Gateway of namespace `own`.
    pub(crate) fn takes(
        &self,
        own: &str,
        namespace: &str,
        labels: Option<&BTreeMap<String, String>>,
    ) -> bool {
        match self {
            Self::Same => own == namespace,
            Self::All => true,
            Self::Selected(selector) => labels.is_some_and(|labels| selector.takes(labels)),
            Self::None => false,
        }
    }
}

impl Door {
    /// Whether the parent reference means this listener.
    pub(crate) fn is_meant(&self, gateway: &Key, parent: &ParentReference) -> bool {
        self.gateway == *gateway
            && parent
                .section_name
                .as_ref()
                .is_none_or(|name| *name == self.section)
            && parent.port.is_none_or(|port| port == self.port)
    }

    /// Host names under which a route with these is served here, empty for every name; `None` when they have nothing in
    /// common.
    pub(crate) fn hostnames(&self, hostnames: &[String]) -> Option<Vec<String>> {
        match (&self.hostname, hostnames) {
            (None, names) => Some(names.to_vec()),
            (Some(own), []) => Some(vec![own.clone()]),
            (Some(own), names) => {
                let common: Vec<String> = names.iter().filter_map(|name| intersection(own, name)).collect();
                (!common.is_empty()).then_some(common)
            }
        }
    }
}

/// The more specific of two host names when one covers the other.
fn intersection(a: &str, b: &str) -> Option<String> {
    let covers = |wide: &str, narrow: &str| {
        wide == narrow
            || wide
                .strip_prefix('*')
                .is_some_and(|suffix| narrow.len() > suffix.len() && narrow.ends_with(suffix))
    };
    if covers(a, b) {
        Some(b.to_owned())
    } else if covers(b, a) {
        Some(a.to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_meet_at_the_more_specific_one() {
        let rows = [
            ("*.example.com", "a.example.com", Some("a.example.com")),
            ("a.example.com", "*.example.com", Some("a.example.com")),
            ("*.example.com", "*.b.example.com", Some("*.b.example.com")),
            ("a.example.com", "a.example.com", Some("a.example.com")),
            ("*.example.com", "example.com", None),
            ("a.example.com", "b.example.com", None),
        ];
        for (a, b, expected) in rows {
            assert_eq!(intersection(a, b).as_deref(), expected, "{a} {b}");
        }
    }
}
