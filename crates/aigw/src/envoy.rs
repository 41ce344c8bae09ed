//! An Envoy before this process: our sockets, the configuration it gets from us, and the process when it is ours.

mod options;
mod publisher;
mod view;

use std::sync::Arc;
use std::time::Duration;

use aigw_extproc::xds::DataPath;
use aigw_extproc::{BootstrapOptions, Door, Envoy, Launch, Processor, bootstrap, names};
use aigw_proxy::{ParkedServer, Parking, Place, Server, Upstreams, bind_socket, serve_at, serve_parked};
use aigw_runtime::{Gateway, Live, Telemetry};
use tokio::time::Instant;

use crate::process::Failure;

pub(crate) use options::{Options, Own};
use publisher::Publisher;
use view::View;

/// How often it is asked whether Envoy has refused what it starts with.
const LOOK: Duration = Duration::from_millis(50);

/// Our side of it, and the process.
#[derive(Debug)]
pub(crate) struct Host {
    options: Options,
    gateway: Arc<Gateway>,
    publisher: Arc<Publisher>,
    native: Native,
    _door: Door,
    envoy: Option<Envoy>,
}

/// The sockets of the native host.
#[derive(Debug)]
enum Native {
    /// One a listener, on the path `local`.
    Listeners(Server),
    /// One for exchanges that the processor parks, on the path `extproc`.
    Exchanges(ParkedServer),
}

impl Host {
    /// Opens the sockets and offers the configuration.
    pub async fn open(
        options: Options,
        gateway: Arc<Gateway>,
        upstreams: Arc<Upstreams>,
        telemetry: &Arc<Telemetry>,
    ) -> Result<Self, Failure> {
        let publisher = Arc::new(Publisher::new(&options));
        let (native, processor) = match options.path {
            DataPath::Local => {
                let place = Place::Sockets {
                    directory: options.places.directory().to_owned(),
                    name: names::listener_socket,
                };
                let server = serve_at(place, Arc::clone(&gateway), upstreams).await?;
                (Native::Listeners(server), None)
            }
            DataPath::Extproc => {
                let path = options.places.exchanges();
                let socket = bind_socket(&path)
                    .map_err(|error| format!("cannot serve Envoy at {}: {error}", path.display()))?;
                let parking = Parking::new();
                let server = serve_parked(socket, Arc::clone(&parking), Arc::clone(&gateway), upstreams);
                let processor = Processor::new(Arc::clone(&gateway), parking)
                    .reaching(publisher.server().clone())
                    .telling(options.access_log);
                (Native::Exchanges(server), Some(processor))
            }
        };
        let door = Door::open(&options.processor, publisher.server(), processor)
            .await
            .map_err(|error| format!("cannot serve Envoy at {}: {error}", options.processor))?;
        let live = Live::clone(&gateway.load());
        publisher.publish(&live).await?;
        tokio::spawn(Arc::clone(&publisher).refresh(Arc::downgrade(&gateway)));
        tokio::spawn(Arc::clone(&publisher).count(Arc::downgrade(telemetry)));
        Ok(Self {
            options,
            gateway,
            publisher,
            native,
            _door: door,
            envoy: None,
        })
    }

    /// Starts Envoy when it is ours, and waits until it serves.
    pub async fn begin(&mut self) -> Result<(), Failure> {
        let Some(own) = &self.options.own else {
            return Ok(());
        };
        let launch = Launch {
            binary: own.binary.clone(),
            bootstrap: bootstrap(&BootstrapOptions::new(&self.options.places)),
            places: self.options.places.clone(),
            concurrency: own.concurrency,
            log_level: own.log_level.clone(),
        };
        let envoy = Envoy::start(launch).await?;
        tokio::select! {
            ready = envoy.ready(&self.options.addresses) => ready?,
            refused = self.refusal() => return Err(refused.into()),
        }
        self.publisher.watch(envoy.state());
        self.envoy = Some(envoy);
        Ok(())
    }

    /// What Envoy says to a configuration that it does not take.
    async fn refusal(&self) -> String {
        loop {
            let state = self.publisher.state();
            for (kind, seen) in &state.kinds {
                if let Some(refused) = &seen.last_rejection {
                    return format!("Envoy refuses the {kind}: {}", refused.detail);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Where clients connect.
    pub fn addresses(&self) -> Vec<String> {
        self.options.addresses.iter().map(ToString::to_string).collect()
    }

    /// Serves `live` once Envoy has it; what Envoy refuses changes nothing.
    pub async fn adopt(&mut self, mut live: Live) -> Result<(), Failure> {
        self.options.settle(&mut live).await?;
        let snapshot = Arc::clone(&live.snapshot);
        if let Native::Listeners(server) = &mut self.native {
            server.open(&live).await?;
        }
        let published = self.publisher.publish(&live).await;
        if published.is_ok() {
            self.gateway.swap(live);
            self.options.forget(&snapshot);
        }
        // Of the present snapshot, whichever that is.
        if let Native::Listeners(server) = &mut self.native {
            server.follow().await?;
        }
        published
    }

    /// Serves the snapshot of now with other credentials, once Envoy has the certificates among them.
    pub async fn renew(&mut self, live: Live) -> Result<(), Failure> {
        self.publisher.renew(&live).await?;
        self.gateway.swap(live);
        Ok(())
    }

    /// What there is to see of it.
    pub fn view(&self) -> Arc<dyn aigw_runtime::Host> {
        Arc::new(View {
            publisher: Arc::clone(&self.publisher),
            admin: self.options.places.admin(),
        })
    }

    /// Takes nothing more and waits until all requests have ended. True when nothing was cut.
    pub async fn drain(self, grace: Duration) -> bool {
        let end = Instant::now() + grace;
        self.gateway.drain();
        let mut whole = match self.envoy {
            Some(envoy) => envoy.drain(grace).await,
            None => true,
        };
        let left = end.saturating_duration_since(Instant::now());
        whole &= match self.native {
            Native::Listeners(server) => server.drain(left).await,
            Native::Exchanges(server) => server.drain(left).await,
        };
        self.options.clean();
        whole
    }
}
