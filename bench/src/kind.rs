//! Who is measured, and in which group.

use serde::Serialize;

/// A group of subjects that is measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Group {
    /// The native proxy beside two bare proxies.
    Native,
    /// Envoy alone, with processors that do nothing, and with the gateway.
    Envoy,
    /// Ways of putting a processor or a proxy behind Envoy that were weighed against each other; measured only when asked for.
    Ways,
}

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The upstream itself, nothing between.
    Direct,
    /// The bare proxy that streams bodies.
    Forward,
    /// The bare proxy that parses and writes bodies.
    Rewrite,
    /// The gateway.
    Aigw,
    /// Envoy alone.
    Envoy,
    /// Envoy with one processor stream that is sent requests.
    EnvoyNoopRequest,
    /// Envoy with one processor stream that is sent requests and responses.
    EnvoyNoopObserve,
    /// The same, and it routes each request as the gateway's processor does: three headers set, the route chosen anew.
    EnvoyNoopRoute,
    /// Envoy with one stream at the router and one at the upstream.
    EnvoyNoopTwo,
    /// Envoy that sends everything to the gateway's native host.
    EnvoyAigwLocal,
    /// Envoy that the gateway processes for.
    EnvoyAigwExtproc,
    /// Envoy before a gateway that stands apart, HTTP/1.1 over TCP.
    EnvoyAigwTcp,
    /// Envoy before the bare proxy that streams, HTTP/1.1 over TCP.
    EnvoyForwardTcp,
    /// The same, HTTP/2 over TCP.
    EnvoyForwardTcpH2,
    /// The same, HTTP/1.1 over a Unix socket.
    EnvoyForwardUnix,
    /// The same, HTTP/2 over a Unix socket.
    EnvoyForwardUnixH2,
    /// Envoy before the bare proxy that parses and writes, HTTP/1.1 over a Unix socket.
    EnvoyRewriteUnix,
    /// Envoy with one stream that is sent requests and the headers of responses.
    EnvoyNoopHeaders,
    /// Envoy with one stream that is sent requests, and responses in the simpler streamed mode.
    EnvoyNoopStreamed,
    /// Envoy with one stream that asks to be sent each request, in a message of its own.
    EnvoyNoopAskRequest,
    /// The same, and asks for the response, whole if it is no stream.
    EnvoyNoopAskObserve,
}

impl Kind {
    /// All, in the order of tables.
    pub const ALL: [Self; 21] = [
        Self::Direct,
        Self::Forward,
        Self::Rewrite,
        Self::Aigw,
        Self::Envoy,
        Self::EnvoyNoopRequest,
        Self::EnvoyNoopObserve,
        Self::EnvoyNoopRoute,
        Self::EnvoyNoopTwo,
        Self::EnvoyAigwLocal,
        Self::EnvoyAigwExtproc,
        Self::EnvoyAigwTcp,
        Self::EnvoyForwardTcp,
        Self::EnvoyForwardTcpH2,
        Self::EnvoyForwardUnix,
        Self::EnvoyForwardUnixH2,
        Self::EnvoyRewriteUnix,
        Self::EnvoyNoopHeaders,
        Self::EnvoyNoopStreamed,
        Self::EnvoyNoopAskRequest,
        Self::EnvoyNoopAskObserve,
    ];

    /// As it stands in tables and raw figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Forward => "forward",
            Self::Rewrite => "rewrite",
            Self::Aigw => "aigw",
            Self::Envoy => "envoy",
            Self::EnvoyNoopRequest => "envoy-noop-request",
            Self::EnvoyNoopObserve => "envoy-noop-observe",
            Self::EnvoyNoopRoute => "envoy-noop-route",
            Self::EnvoyNoopTwo => "envoy-noop-two",
            Self::EnvoyAigwLocal => "envoy-aigw-local",
            Self::EnvoyAigwExtproc => "envoy-aigw-extproc",
            Self::EnvoyAigwTcp => "envoy-aigw-tcp",
            Self::EnvoyForwardTcp => "envoy-forward-tcp",
            Self::EnvoyForwardTcpH2 => "envoy-forward-tcp-h2",
            Self::EnvoyForwardUnix => "envoy-forward-unix",
            Self::EnvoyForwardUnixH2 => "envoy-forward-unix-h2",
            Self::EnvoyRewriteUnix => "envoy-rewrite-unix",
            Self::EnvoyNoopHeaders => "envoy-noop-headers",
            Self::EnvoyNoopStreamed => "envoy-noop-streamed",
            Self::EnvoyNoopAskRequest => "envoy-noop-ask-request",
            Self::EnvoyNoopAskObserve => "envoy-noop-ask-observe",
        }
    }

    /// Whether an Envoy stands before it.
    pub fn behind_envoy(self) -> bool {
        !matches!(self, Self::Direct | Self::Forward | Self::Rewrite | Self::Aigw)
    }

    /// Whether it is the gateway, which is called at the gateway's path and translates.
    pub fn is_gateway(self) -> bool {
        matches!(
            self,
            Self::Aigw | Self::EnvoyAigwLocal | Self::EnvoyAigwExtproc | Self::EnvoyAigwTcp
        )
    }

    /// Whether a run of that group measures it. The native gateway and the bare upstream are in each: what a translation costs and what
    /// the machine does today is seen on them.
    pub fn is_in(self, group: Group) -> bool {
        match self {
            Self::Direct | Self::Aigw => true,
            Self::Forward | Self::Rewrite => group == Group::Native,
            Self::Envoy => group != Group::Native,
            Self::EnvoyNoopRequest | Self::EnvoyNoopObserve => group != Group::Native,
            Self::EnvoyNoopRoute | Self::EnvoyNoopTwo | Self::EnvoyAigwLocal | Self::EnvoyAigwExtproc => {
                group == Group::Envoy
            }
            Self::EnvoyAigwTcp
            | Self::EnvoyForwardTcp
            | Self::EnvoyForwardTcpH2
            | Self::EnvoyForwardUnix
            | Self::EnvoyForwardUnixH2
            | Self::EnvoyRewriteUnix
            | Self::EnvoyNoopHeaders
            | Self::EnvoyNoopStreamed
            | Self::EnvoyNoopAskRequest
            | Self::EnvoyNoopAskObserve => group == Group::Ways,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::Kind;

    #[test]
    fn raw_figures_tables_and_flags_use_the_same_names() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(Kind::from_str(kind.name(), false), Ok(kind));
        }
    }
}
