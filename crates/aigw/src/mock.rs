//! `aigw mock`.

use std::process::ExitCode;

use aigw_mock::Options;
use serde_json::json;

use crate::cli::{MockArgs, say};
use crate::process::{Failure, runtime, stop_signal, write_ready_file};

/// Serves mock providers until a signal comes.
pub(crate) fn mock(args: MockArgs) -> Result<ExitCode, Failure> {
    runtime(2)?.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen)
            .await
            .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
        let address = listener.local_addr()?;
        let options = Options {
            keys: args.keys,
            record: args.record,
            fault: args.fault.parse()?,
            models: args.models,
            refuse: args.refuse,
            strict: args.strict,
            bench: args.bench,
        };
        let stop = stop_signal();
        write_ready_file(args.ready_file.as_deref(), &json!({"mock": address.to_string()}))?;
        say(&format!("mock providers listen on http://{address}"));
        aigw_mock::serve(listener, options, stop).await?;
        Ok(ExitCode::SUCCESS)
    })
}
