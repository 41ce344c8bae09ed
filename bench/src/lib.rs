//! What the benchmark's processes share: payloads, the closed-loop load generator, process measurements and the report.

pub mod bars;
pub mod baseline;
pub mod case;
pub mod expect;
pub mod failure;
pub mod load;
pub mod payload;
pub mod procfs;
pub mod report;
pub mod rounds;
pub mod run;
pub mod settings;
pub mod statistics;
pub mod subject;
