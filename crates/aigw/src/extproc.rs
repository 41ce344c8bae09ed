//! `aigw extproc`: programs and serves an Envoy that is started apart.

use std::process::ExitCode;

use aigw_extproc::{At, BootstrapOptions, bootstrap};

use crate::cli::{ExtprocArgs, say};
use crate::envoy::Options;
use crate::equip;
use crate::front::Kind;
use crate::process::Failure;
use crate::serve::start;

/// Serves until a signal comes, or prints the bootstrap.
pub(crate) fn extproc(args: ExtprocArgs) -> Result<ExitCode, Failure> {
    let processor = args.socket.map(At::Socket).or(args.listen.map(At::Tcp));
    let options = Options::apart(&args.through, processor)?;
    let mut asked = BootstrapOptions::new(&options.places);
    asked.processor = options.processor.clone();
    if args.print_bootstrap {
        say(bootstrap(&asked).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    // Who finds a port open finds these.
    let prepare = || {
        if let Some(file) = &args.copy_to {
            equip::copy_program(file)?;
        }
        match &args.bootstrap_to {
            Some(file) => equip::write_bootstrap(file, &bootstrap(&asked)),
            None => Ok(()),
        }
    };
    start(args.serve, None, Kind::Envoy(options), prepare)
}
