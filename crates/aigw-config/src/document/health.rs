//! Asking backends by and by whether they are well.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::quantity::Millis;

/// How a rule's backends are asked whether they are well: over HTTP at `path`, or with `tcp` for a connection alone. One that is
/// not is left out until it is again, unless no other is left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheckSpec {
    /// Path and query to ask for, from the root of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Method (default GET).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The `host` header, in place of the backend's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Statuses of a backend that is well (default 200).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<StatusSpec>>,
    /// Open a connection, within TLS where the backend has it, and ask for nothing.
    pub tcp: bool,
    /// From the end of one check to the next (default 3s), and up to a tenth more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Millis>,
    /// How long one check may take (default 1s).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// The first check is made within this (default: at once).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_jitter: Option<Millis>,
    /// Failed checks in a row after which a backend is left out (default 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy: Option<u32>,
    /// Good checks in a row after which it is back (default 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<u32>,
}

/// A status, or several in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum StatusSpec {
    /// `204`.
    One(u16),
    /// `{start: 200, end: 300}`.
    Range {
        /// The first.
        start: u16,
        /// The one after the last.
        end: u16,
    },
}

impl<'de> Deserialize<'de> for StatusSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = StatusSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status such as 204, or `{start: 200, end: 300}`")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<StatusSpec, E> {
                let status = u16::try_from(number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))?;
                Ok(StatusSpec::One(status))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<StatusSpec, E> {
                let status = u16::try_from(number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))?;
                Ok(StatusSpec::One(status))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StatusSpec, A::Error> {
                let (mut start, mut end) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "start" => start = Some(map.next_value()?),
                        "end" => end = Some(map.next_value()?),
                        _ => drop(map.next_value::<de::IgnoredAny>()?),
                    }
                }
                match (start, end) {
                    (Some(start), Some(end)) => Ok(StatusSpec::Range { start, end }),
                    _ => Err(de::Error::custom("needs both `start` and `end`")),
                }
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_number_or_a_range() {
        for (text, expected) in [
            ("204", StatusSpec::One(204)),
            (
                r#"{"start":200,"end":300}"#,
                StatusSpec::Range { start: 200, end: 300 },
            ),
        ] {
            let read: StatusSpec = serde_json::from_str(text).unwrap();
            assert_eq!(read, expected);
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        for (text, says) in [
            (r#"{"start":200}"#, "needs both"),
            ("-1", "a status such as 204"),
            ("70000", "a status such as 204"),
            (r#""ok""#, "a status such as 204"),
        ] {
            let error = serde_json::from_str::<StatusSpec>(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
