//! The pods of one Gateway are replaced at a time: what is wrong with a new image or setting shows on the first, while all others
//! serve as before.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use crate::caches::Caches;
use crate::managed::made_index;
use crate::memory::{About, Due, Memory};
use crate::table::Key;
use crate::wanted::{Place, Wanted};

/// How long the pods of one Gateway may take before those of the next are replaced all the same: as long as Kubernetes waits for
/// a Deployment's progress.
const PATIENCE: Duration = Duration::from_secs(600);

/// The Gateways of which pods are being replaced.
#[derive(Debug, Default)]
pub(crate) struct Rollouts {
    under_way: HashMap<Key, Since>,
}

#[derive(Clone, Copy, Debug)]
struct Since {
    at: Instant,
    is_told: bool,
}

impl Rollouts {
    /// The Deployments whose change would replace pods and has to wait. `next` becomes the time at which one need not wait longer.
    pub(crate) fn held<'a>(
        &mut self,
        caches: &Caches,
        wanted: &'a Wanted,
        memory: &Memory,
        next: &mut Instant,
    ) -> HashSet<&'a Place> {
        let now = Instant::now();
        let deployments = made_index("apps", "Deployment");
        let mut changes: BTreeMap<&Key, &Place> = BTreeMap::new();
        // What pods are to be made of, by Gateway.
        let mut templates: HashMap<&Key, Option<String>> = HashMap::new();
        for (place, object) in wanted.objects.iter().filter(|(place, _)| place.0 == deployments) {
            let Some(mark) = caches.mark(place.0, &place.1) else {
                continue;
            };
            let about = About::Object(place.clone());
            let is_due = memory.object(&about, object.print, Some(&mark), now) == Due::Now;
            let has = match memory.has_written(&about, object.print) {
                true => object.template.clone(),
                false => mark.template.clone(),
            };
            if is_due && has != object.template {
                changes.insert(&object.gateway, place);
            } else {
                templates.insert(&object.gateway, has);
            }
        }
        let mut replaced = BTreeSet::new();
        for ((namespace, _), pod) in caches.pods() {
            let gateway = (namespace, pod.gateway.clone());
            let is_old = templates
                .get(&gateway)
                .is_some_and(|template| *template != pod.template);
            if is_old && !pod.going {
                replaced.insert(gateway);
            }
        }
        let free = self.see(replaced, now);
        *next = free.map_or(*next, |at| at.min(*next));
        // One of them may go on, if nobody is before it.
        let waiting = changes.into_values().skip(usize::from(free.is_none()));
        waiting.collect()
    }

    /// Takes notice of the Gateways of which pods are to go that have not; says until when others wait for them, if they do.
    fn see(&mut self, replaced: BTreeSet<Key>, now: Instant) -> Option<Instant> {
        self.under_way.retain(|gateway, _| replaced.contains(gateway));
        let mut free = None;
        for gateway in replaced {
            let name = format!("{}/{}", gateway.0, gateway.1);
            let since = self.under_way.entry(gateway).or_insert(Since {
                at: now,
                is_told: false,
            });
            let until = since.at + PATIENCE;
            if now < until {
                free = free.max(Some(until));
            } else if !since.is_told {
                since.is_told = true;
                warn!(
                    "the pods of Gateway {name} have not been replaced within {PATIENCE:?}; those of the next one are"
                );
            }
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_end_is_waited_for_ten_minutes() {
        let key = |name: &str| ("ns".to_owned(), name.to_owned());
        let mut rollouts = Rollouts::default();
        let began = Instant::now();
        assert_eq!(rollouts.see(BTreeSet::new(), began), None);
        assert_eq!(rollouts.see([key("a")].into(), began), Some(began + PATIENCE));
        let later = began + Duration::from_secs(60);
        assert_eq!(rollouts.see([key("a")].into(), later), Some(began + PATIENCE));
        assert_eq!(
            rollouts.see([key("a"), key("b")].into(), later),
            Some(later + PATIENCE)
        );
        assert_eq!(rollouts.see([key("a")].into(), began + PATIENCE), None);
        // It was done meanwhile, and begins anew.
        assert_eq!(rollouts.see(BTreeSet::new(), later), None);
        assert_eq!(rollouts.see([key("a")].into(), later), Some(later + PATIENCE));
    }
}
