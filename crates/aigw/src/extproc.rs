//! `aigw extproc`: programs and serves an Envoy that is started apart.

use std::process::ExitCode;

use aigw_extproc::{At, BootstrapOptions, bootstrap};

use crate::cli::{ExtprocArgs, say};
use crate::envoy::Options;
use crate::front::Kind;
use crate::process::Failure;
use crate::serve::start;

/// Serves until a signal comes, or prints the bootstrap.
pub(crate) fn extproc(args: ExtprocArgs) -> Result<ExitCode, Failure> {
    let processor = args.socket.map(At::Socket).or(args.listen.map(At::Tcp));
    let options = Options::apart(&args.through, processor)?;
    if args.print_bootstrap {
        let mut asked = BootstrapOptions::new(&options.places);
        asked.processor = options.processor.clone();
        say(bootstrap(&asked).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    start(args.serve, None, Kind::Envoy(options))
}
