//! How backends are asked whether they are well: as written, or what is wrong with it.

use std::ops::Range;

use http::Method;
use http::uri::{Authority, PathAndQuery};

use crate::document::{HealthCheckSpec, StatusSpec};
use crate::quantity::Millis;

/// Longest path.
const MAX_PATH: usize = 1024;

/// How the backends of a rule are asked whether they are well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: Probe,
    /// From the end of one check to the next; more than 0.
    pub interval: Millis,
    /// How long one check may take; more than 0.
    pub timeout: Millis,
    /// The first check is made within this.
    pub initial_jitter: Millis,
    /// Failed checks in a row after which a backend is left out; at least 1.
    pub unhealthy: u32,
    /// Good checks in a row after which it is back; at least 1.
    pub healthy: u32,
}

/// What a backend is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// To take a connection.
    Connection,
    /// To answer a request.
    Http {
        /// Method; not CONNECT.
        method: Method,
        /// Path and query.
        path: String,
        /// The `host` header, in place of the backend's own.
        host: Option<Authority>,
        /// Statuses of a backend that is well; none is empty.
        statuses: Vec<Range<u16>>,
    },
}

impl Probe {
    /// Whether a backend is well that answers with `status`.
    pub fn accepts(&self, status: u16) -> bool {
        match self {
            Self::Connection => true,
            Self::Http { statuses, .. } => statuses.iter().any(|range| range.contains(&status)),
        }
    }
}

impl HealthCheckSpec {
    /// The check, or what is wrong with it: fields (empty: the whole) and what to change.
    pub fn check(&self) -> Result<HealthCheck, Vec<(String, String)>> {
        let mut faults = Vec::new();
        for (field, value) in [("interval", self.interval), ("timeout", self.timeout)] {
            if value == Some(Millis(0)) {
                let message = "must be more than 0s; leave it out for the default";
                faults.push((field.to_owned(), message.to_owned()));
            }
        }
        for (field, value) in [("unhealthy", self.unhealthy), ("healthy", self.healthy)] {
            if value == Some(0) {
                let message = "must be at least 1; leave it out for the default";
                faults.push((field.to_owned(), message.to_owned()));
            }
        }
        let probe = self.probe(&mut faults);
        let Some(probe) = probe.filter(|_| faults.is_empty()) else {
            return Err(faults);
        };
        Ok(HealthCheck {
            probe,
            interval: self.interval.unwrap_or(Millis(3_000)),
            timeout: self.timeout.unwrap_or(Millis(1_000)),
            initial_jitter: self.initial_jitter.unwrap_or(Millis(0)),
            unhealthy: self.unhealthy.unwrap_or(3),
            healthy: self.healthy.unwrap_or(1),
        })
    }

    /// `None` after a fault was noted.
    fn probe(&self, faults: &mut Vec<(String, String)>) -> Option<Probe> {
        if self.tcp {
            let rows = [
                ("path", self.path.is_some()),
                ("method", self.method.is_some()),
                ("host", self.host.is_some()),
                ("statuses", self.statuses.is_some()),
            ];
            for (field, _) in rows.into_iter().filter(|(_, is_set)| *is_set) {
                let message = "has no effect on a check with `tcp`; keep one of the two";
                faults.push((field.to_owned(), message.to_owned()));
            }
            return Some(Probe::Connection);
        }
        let Some(path) = &self.path else {
            let message = "needs `path`, such as /health, or `tcp: true` for a connection alone";
            faults.push((String::new(), message.to_owned()));
            return None;
        };
        let mut keep = |field: &str, message: String| faults.push((field.to_owned(), message));
        let path = read_path(path).map_err(|message| keep("path", message)).ok();
        let method = self.method.as_deref().map_or(Ok(Method::GET), read_method);
        let method = method.map_err(|message| keep("method", message)).ok();
        let host = self.host.as_deref().map(read_host).transpose();
        let host = host.map_err(|message| keep("host", message)).ok();
        let mut statuses = Vec::new();
        match self.statuses.as_deref() {
            None => statuses.push(200..201),
            Some([]) => {
                let message = "is empty, so no answer would be good; leave it out for 200";
                keep("statuses", message.to_owned());
            }
            Some(some) => {
                for (index, one) in some.iter().enumerate() {
                    match read_statuses(*one) {
                        Ok(range) => statuses.push(range),
                        Err(message) => keep(&format!("statuses[{index}]"), message),
                    }
                }
            }
        }
        Some(Probe::Http {
            method: method?,
            path: path?,
            host: host?,
            statuses,
        })
    }
}

fn read_path(text: &str) -> Result<String, String> {
    let bad = || format!("`{text}` is not a path; write it like /health");
    if !text.starts_with('/') || text.contains('#') {
        return Err(bad());
    }
    if text.len() > MAX_PATH {
        return Err(format!("is longer than {MAX_PATH} bytes"));
    }
    let read = text.parse::<PathAndQuery>().map_err(|_| bad())?;
    Ok(read.as_str().to_owned())
}

fn read_method(text: &str) -> Result<Method, String> {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ];
    let found = known.iter().find(|one| one.as_str() == text);
    found.cloned().ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(Method::as_str).collect();
        format!("`{text}` cannot be asked with; use one of {}", names.join(", "))
    })
}

fn read_host(text: &str) -> Result<Authority, String> {
    let read = text
        .parse::<Authority>()
        .ok()
        .filter(|host| !host.host().is_empty() && !text.contains('@'));
    read.ok_or_else(|| format!("`{text}` is not a host; write it like models.example.com"))
}

fn read_statuses(spec: StatusSpec) -> Result<Range<u16>, String> {
    let range = match spec {
        StatusSpec::One(status) => status..status.saturating_add(1),
        StatusSpec::Range { start, end } => start..end,
    };
    if range.is_empty() {
        return Err(format!(
            "`end` is the status after the last, so there is none from {} on; raise it",
            range.start
        ));
    }
    if range.start < 100 || range.end > 600 {
        return Err("statuses are 100 to 599".to_owned());
    }
    Ok(range)
}
