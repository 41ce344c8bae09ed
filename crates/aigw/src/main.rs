//! The one binary: `aigw run`, `proxy`, `extproc`, `controller`, `check`, `doctor`, `explain`, `providers`, `crds`, `cleanup`, `mock`, `healthcheck`, `drain`.

mod check;
mod cleanup;
mod cli;
mod controller;
mod crds;
mod demo;
mod doctor;
mod drain;
mod envoy;
mod equip;
mod explain;
mod extproc;
mod feed;
mod front;
mod healthcheck;
mod input;
mod local;
mod mock;
mod operators;
mod process;
mod providers;
mod run;
mod serve;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    // The graph holds one provider of cryptography; a second call would be a defect, not a user's mistake.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let result = match cli.command {
        cli::Command::Run(args) => run::run(args),
        cli::Command::Proxy(args) => serve::start(args.serve, None, front::Kind::Native, || Ok(())),
        cli::Command::Extproc(args) => extproc::extproc(args),
        cli::Command::Controller(args) => controller::controller(args),
        cli::Command::Check(args) => check::check(&args),
        cli::Command::Doctor(args) => doctor::doctor(&args),
        cli::Command::Explain(args) => explain::explain(&args),
        cli::Command::Providers(args) => providers::providers(&args),
        cli::Command::Crds(args) => crds::crds(&args),
        cli::Command::Cleanup(args) => cleanup::cleanup(&args),
        cli::Command::Mock(args) => mock::mock(args),
        cli::Command::Healthcheck(args) => healthcheck::healthcheck(&args),
        cli::Command::Drain(args) => drain::drain(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            cli::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
