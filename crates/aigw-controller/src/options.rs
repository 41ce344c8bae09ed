//! What the operator is told at its start.

use std::time::Duration;

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its own namespace, where the Lease is.
    pub namespace: String,
    /// Its own name among several; the pod's.
    pub identity: String,
    /// Namespaces that it looks at; empty means all.
    pub namespaces: Vec<String>,
    /// How one of several operators is chosen; `None`: this is the only one.
    pub election: Option<Election>,
    /// How it plans. What it finds out itself is overwritten: installed kinds, versions, whether an Envoy Gateway runs.
    pub plan: aigw_plan::cluster::Options,
}

/// How one of several operators is chosen.
#[derive(Clone, Debug)]
pub struct Election {
    /// Name of the Lease.
    pub lease: String,
    /// How long the others wait after the leader was last heard of.
    pub duration: Duration,
    /// How long the leader writes without having been able to renew; shorter than `duration`, so that two never write at once.
    pub renew_deadline: Duration,
    /// Pause between two tries to get or renew it.
    pub retry: Duration,
}

impl Default for Election {
    fn default() -> Self {
        Self {
            lease: "aigw-controller".to_owned(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

impl Election {
    /// Says what is wrong with the durations, if something is.
    pub fn check(&self) -> Result<(), String> {
        if self.duration < Duration::from_secs(1) {
            return Err("the lease's duration is less than one second".to_owned());
        }
        if self.renew_deadline >= self.duration {
            return Err("the renew deadline has to be shorter than the lease's duration".to_owned());
        }
        if self.retry * 2 > self.renew_deadline {
            return Err("the retry period has to be at most half of the renew deadline".to_owned());
        }
        Ok(())
    }
}
