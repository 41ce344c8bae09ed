//! What the benchmark's processes share: payloads, the closed-loop load generator, process measurements and the report.

pub mod bars;
pub mod baseline;
pub mod case;
pub mod envoy;
pub mod envoy_bars;
pub mod envoy_config;
pub mod envoy_report;
pub mod expect;
pub mod failure;
pub mod kind;
pub mod load;
pub mod payload;
pub mod process;
pub mod procfs;
pub mod report;
pub mod rounds;
pub mod run;
pub mod settings;
pub mod statistics;
pub mod subject;
