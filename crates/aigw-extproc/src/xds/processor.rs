//! The filter that asks the external processor: without an answer from it, nothing is forwarded.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutationRules;
use envoy_types::pb::envoy::config::core::v3::{GrpcService, grpc_service};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::metadata_options::MetadataNamespaces;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::{
    ExternalProcessor, MetadataOptions, ProcessingMode,
};
use envoy_types::pb::envoy::r#type::v3::{HttpStatus, StatusCode};

use super::typed::{no, seconds, yes};
use crate::names;

/// The filter of every listener.
pub(super) fn filter() -> ExternalProcessor {
    ExternalProcessor {
        grpc_service: Some(GrpcService {
            target_specifier: Some(grpc_service::TargetSpecifier::EnvoyGrpc(
                grpc_service::EnvoyGrpc {
                    cluster_name: names::PROCESSOR_CLUSTER.to_owned(),
                    skip_envoy_headers: true,
                    ..grpc_service::EnvoyGrpc::default()
                },
            )),
            ..GrpcService::default()
        }),
        failure_mode_allow: false,
        processing_mode: Some(ProcessingMode {
            request_header_mode: HeaderSendMode::Send.into(),
            request_body_mode: BodySendMode::FullDuplexStreamed.into(),
            request_trailer_mode: HeaderSendMode::Send.into(),
            response_header_mode: HeaderSendMode::Send.into(),
            response_body_mode: BodySendMode::FullDuplexStreamed.into(),
            response_trailer_mode: HeaderSendMode::Send.into(),
        }),
        // Binds where no body comes. Full duplex has no such limit: a processor that hangs is found by its cluster's
        // watchdog and keepalive, a stream that hangs by the processor itself.
        message_timeout: seconds(30),
        stat_prefix: "aigw".to_owned(),
        mutation_rules: Some(HeaderMutationRules {
            allow_all_routing: yes(),
            allow_envoy: yes(),
            disallow_is_error: yes(),
            disallow_all: no(),
            ..HeaderMutationRules::default()
        }),
        metadata_options: Some(MetadataOptions {
            receiving_namespaces: Some(MetadataNamespaces {
                untyped: vec![names::METADATA_NAMESPACE.to_owned()],
                ..MetadataNamespaces::default()
            }),
            ..MetadataOptions::default()
        }),
        status_on_error: Some(HttpStatus {
            code: StatusCode::ServiceUnavailable.into(),
        }),
        allow_content_length_header: true,
        ..ExternalProcessor::default()
    }
}
