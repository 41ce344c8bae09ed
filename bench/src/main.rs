//! Benchmark baselines and load generator.
fn main() {}
