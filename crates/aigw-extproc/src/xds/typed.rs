//! Envoy's smaller types, made from ours.

use std::path::Path;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{
    self as core, Address, ConfigSource, DataSource, HeaderValue, HeaderValueOption, Pipe, SocketAddress,
    TransportSocket, TypedExtensionConfig, address, config_source, data_source,
    header_value_option::HeaderAppendAction, socket_address, transport_socket,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    TlsParameters, tls_parameters::TlsProtocol,
};
use envoy_types::pb::google::protobuf::{Any, BoolValue, Duration as ProtoDuration, UInt32Value};
use envoy_types::util::pack_any;
use prost::Name;

pub(super) fn any<T: Name>(message: T) -> Any {
    pack_any(message)
}

pub(super) fn yes() -> Option<BoolValue> {
    Some(BoolValue { value: true })
}

pub(super) fn no() -> Option<BoolValue> {
    Some(BoolValue { value: false })
}

pub(super) fn number(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

pub(super) fn duration(duration: Duration) -> Option<ProtoDuration> {
    Some(ProtoDuration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    })
}

pub(super) fn seconds(seconds: u64) -> Option<ProtoDuration> {
    duration(Duration::from_secs(seconds))
}

/// An extension with its configuration.
pub(super) fn extension<T: Name>(name: &str, config: T) -> TypedExtensionConfig {
    TypedExtensionConfig {
        name: name.to_owned(),
        typed_config: Some(any(config)),
    }
}

/// A transport socket with its configuration.
pub(super) fn transport<T: Name>(name: &str, config: T) -> TransportSocket {
    TransportSocket {
        name: name.to_owned(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(any(config))),
    }
}

/// TLS 1.2 and above, towards clients and upstreams.
pub(super) fn tls_versions() -> Option<TlsParameters> {
    Some(TlsParameters {
        tls_minimum_protocol_version: TlsProtocol::TlSv12.into(),
        tls_maximum_protocol_version: TlsProtocol::TlSv13.into(),
        ..TlsParameters::default()
    })
}

/// The source of everything: the stream that all types come over.
pub(super) fn ads() -> Option<ConfigSource> {
    Some(ConfigSource {
        resource_api_version: core::ApiVersion::V3.into(),
        config_source_specifier: Some(config_source::ConfigSourceSpecifier::Ads(
            core::AggregatedConfigSource {},
        )),
        ..ConfigSource::default()
    })
}

/// An address and port; `host` is an IP address where Envoy is to bind, and may be a name where it resolves.
pub(super) fn socket(host: &str, port: u16) -> Option<Address> {
    Some(Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address: host.to_owned(),
            // As the system's own default: `[::]` takes IPv4 too.
            ipv4_compat: host == "::",
            port_specifier: Some(socket_address::PortSpecifier::PortValue(port.into())),
            ..SocketAddress::default()
        })),
    })
}

/// A Unix socket.
pub(super) fn pipe(path: &Path) -> Option<Address> {
    Some(Address {
        address: Some(address::Address::Pipe(Pipe {
            path: path.to_string_lossy().into_owned(),
            mode: 0,
        })),
    })
}

/// Text in the configuration itself.
pub(super) fn inline(text: impl Into<String>) -> Option<DataSource> {
    Some(DataSource {
        specifier: Some(data_source::Specifier::InlineString(text.into())),
        ..DataSource::default()
    })
}

/// Bytes in the configuration itself.
pub(super) fn inline_bytes(bytes: &[u8]) -> Option<DataSource> {
    Some(DataSource {
        specifier: Some(data_source::Specifier::InlineBytes(bytes.to_vec())),
        ..DataSource::default()
    })
}

/// A file that Envoy reads.
pub(super) fn file(path: &Path) -> Option<DataSource> {
    Some(DataSource {
        specifier: Some(data_source::Specifier::Filename(
            path.to_string_lossy().into_owned(),
        )),
        ..DataSource::default()
    })
}

/// Sets a header in place of what is there.
pub(super) fn set_header(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            value: value.to_owned(),
            ..HeaderValue::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

/// Text that Envoy takes for a format and that stands for itself there.
pub(super) fn literal(text: &str) -> String {
    text.replace('%', "%%")
}
