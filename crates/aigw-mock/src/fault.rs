//! The faults a client can ask for, and the grammar they are asked in.

use std::str::FromStr;
use std::time::Duration;

use http::StatusCode;

use crate::encode::Encoding;
use crate::unit;

/// How a request is to go wrong, or how slowly it is to go right.
///
/// Written as members joined by `;`, `,` or `+` in the header `x-mock-fault`, in [`crate::Options::fault`], or in
/// the model name: `fault:status=429,retry-after=1` or `fault-status=429+retry-after=1`, optionally followed by
/// `/` and the model whose rules apply (`fault:no-usage/gpt-4o`). Durations are `200ms`, `1.5s`; sizes `300`, `1GiB`.
///
/// | member | effect |
/// |---|---|
/// | `status=<code>` | an error of that status in the dialect's shape |
/// | `retry-after=<text>` | that header, verbatim |
/// | `html` | the error (or answer) is an HTML page, as proxies in front of providers send |
/// | `early` | answers before the request body is read (header and listener only) |
/// | `read-pace=<duration>` | reads the request body with that wait before each chunk (header and listener only) |
/// | `delay=<duration>` | waits before the response head |
/// | `slow-headers=<duration>` | dribbles the response head over that time |
/// | `hang` | never answers |
/// | `first-token-delay=<duration>` | sends the head, then waits before the body |
/// | `pace=<duration>` or `pace=flush` | waits before each event; `flush` writes each event by itself without a wait |
/// | `cut=<bytes>` | breaks the body off after so many bytes (0: right after the head) |
/// | `cut-events=<n>` | breaks the stream off after so many events |
/// | `reset` or `reset=<bytes>` | resets the TCP connection before the head, or after so many body bytes |
/// | `stall` or `stall=<events>` | stays silent for ever after so many events (default 0) |
/// | `never-ending` | repeats the last text event for ever (a body without events stays open) |
/// | `garbage` | bytes that are no JSON in the middle of the stream, or as the body |
/// | `error-event` or `error-event=<events>` | an error event after so many events (default: half of them), then the end |
/// | `no-usage` | leaves every usage member out |
/// | `size=<bytes>` | an answer text of that size, streamed with constant memory |
/// | `gzip`, `br`, `zstd`, `deflate` | content encoding of the answer |
/// | `split=<bytes>` | writes the body in pieces of that size |
/// | `crlf`, `cr` | line ends of the events |
/// | `comments` | comment lines between the events |
/// | `close` | closes the connection after the answer |
/// | `times=<n>` | only the first n requests with this fault fail; `DELETE /__mock/requests` starts again |
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    pub(crate) status: Option<StatusCode>,
    pub(crate) retry_after: Option<String>,
    pub(crate) html: bool,
    pub(crate) early: bool,
    pub(crate) read_pace: Option<Duration>,
    pub(crate) delay: Option<Duration>,
    pub(crate) slow_headers: Option<Duration>,
    pub(crate) hang: bool,
    pub(crate) first_token_delay: Option<Duration>,
    pub(crate) pace: Option<Duration>,
    pub(crate) flush: bool,
    pub(crate) cut: Option<u64>,
    pub(crate) cut_events: Option<usize>,
    pub(crate) reset: Option<Reset>,
    pub(crate) stall: Option<usize>,
    pub(crate) never_ending: bool,
    pub(crate) garbage: bool,
    pub(crate) error_event: Option<ErrorEvent>,
    pub(crate) no_usage: bool,
    pub(crate) size: Option<u64>,
    pub(crate) encoding: Option<Encoding>,
    pub(crate) split: Option<usize>,
    pub(crate) line_end: Option<&'static str>,
    pub(crate) comments: bool,
    pub(crate) close: bool,
    pub(crate) times: Option<u64>,
}

/// When the connection is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reset {
    BeforeHead,
    After(u64),
}

/// Where the error event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorEvent {
    Half,
    After(usize),
}

/// A fault that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown fault member `{member}`")]
pub struct BadFault {
    member: String,
}

impl FromStr for Fault {
    type Err = BadFault;

    fn from_str(spec: &str) -> Result<Self, BadFault> {
        let mut fault = Self::default();
        fault.read(spec)?;
        Ok(fault)
    }
}

impl Fault {
    /// Reads more members on top of those already there.
    pub(crate) fn read(&mut self, spec: &str) -> Result<(), BadFault> {
        for member in spec
            .split([';', ',', '+'])
            .map(str::trim)
            .filter(|member| !member.is_empty())
        {
            let (name, value) = match member.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (member, None),
            };
            self.set(name, value).ok_or_else(|| BadFault {
                member: member.to_owned(),
            })?;
        }
        Ok(())
    }

    /// Whether the answer is sent exactly as rendered.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Option<()> {
        match (name, value) {
            ("status", Some(value)) => self.status = Some(value.parse().ok()?),
            ("retry-after", Some(value)) => self.retry_after = Some(value.to_owned()),
            ("times", Some(value)) => self.times = Some(value.parse().ok()?),
            ("size", Some(value)) => self.size = Some(unit::size(value)?),
            ("split", Some(value)) => self.split = Some(value.parse().ok().filter(|n| *n > 0)?),
            ("cut", Some(value)) => self.cut = Some(unit::size(value)?),
            ("cut-events", Some(value)) => self.cut_events = Some(value.parse().ok()?),
            ("reset", None) => self.reset = Some(Reset::BeforeHead),
            ("reset", Some(value)) => self.reset = Some(Reset::After(unit::size(value)?)),
            ("stall", value) => self.stall = Some(value.unwrap_or("0").parse().ok()?),
            ("error-event", None) => self.error_event = Some(ErrorEvent::Half),
            ("error-event", Some(value)) => self.error_event = Some(ErrorEvent::After(value.parse().ok()?)),
            ("pace", Some("flush")) => self.flush = true,
            (name, Some(value)) => return self.set_duration(name, unit::duration(value)?),
            (name, None) => return self.set_switch(name),
        }
        Some(())
    }

    fn set_duration(&mut self, name: &str, value: Duration) -> Option<()> {
        let member = match name {
            "read-pace" => &mut self.read_pace,
            "delay" => &mut self.delay,
            "slow-headers" => &mut self.slow_headers,
            "first-token-delay" => &mut self.first_token_delay,
            "pace" => &mut self.pace,
            _ => return None,
        };
        *member = Some(value);
        Some(())
    }

    fn set_switch(&mut self, name: &str) -> Option<()> {
        match name {
            "html" => self.html = true,
            "early" => self.early = true,
            "hang" => self.hang = true,
            "never-ending" => self.never_ending = true,
            "garbage" => self.garbage = true,
            "no-usage" => self.no_usage = true,
            "comments" => self.comments = true,
            "close" => self.close = true,
            "crlf" => self.line_end = Some("\r\n"),
            "cr" => self.line_end = Some("\r"),
            name => self.encoding = Some(Encoding::from_name(name)?),
        }
        Some(())
    }
}

/// Splits a model name of the form `fault:<spec>[/<model>]` or `fault-<spec>[/<model>]` into the fault's text and
/// the model whose rules apply.
pub(crate) fn of_model(model: &str) -> (Option<&str>, &str) {
    let Some(rest) = model
        .strip_prefix("fault:")
        .or_else(|| model.strip_prefix("fault-"))
    else {
        return (None, model);
    };
    match rest.split_once('/') {
        Some((spec, model)) => (Some(spec), model),
        None => (Some(rest), "mock"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_separator() {
        let fault: Fault = "status=429;retry-after=1, delay=200ms+gzip".parse().unwrap();
        assert_eq!(fault.status, Some(StatusCode::TOO_MANY_REQUESTS));
        assert_eq!(fault.retry_after.as_deref(), Some("1"));
        assert_eq!(fault.delay, Some(Duration::from_millis(200)));
        assert_eq!(fault.encoding, Some(Encoding::Gzip));
    }

    #[test]
    fn names_the_member_it_cannot_read() {
        for bad in [
            "bogus",
            "status=abc",
            "status",
            "delay=x",
            "delay",
            "split=0",
            "gzip=1",
        ] {
            let error = bad.parse::<Fault>().unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
        }
    }

    #[test]
    fn model_names() {
        assert_eq!(
            of_model("fault:status=503/gpt-4o"),
            (Some("status=503"), "gpt-4o")
        );
        assert_eq!(of_model("fault-hang"), (Some("hang"), "mock"));
        assert_eq!(of_model("gpt-4o"), (None, "gpt-4o"));
    }

    #[test]
    fn later_members_win() {
        let mut fault: Fault = "status=500;pace=1ms".parse().unwrap();
        fault.read("status=503").unwrap();
        assert_eq!(fault.status, Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(fault.pace, Some(Duration::from_millis(1)));
    }
}
