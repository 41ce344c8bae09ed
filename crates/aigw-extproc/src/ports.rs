//! Addresses of listeners that Envoy is to open: checked, and free ports chosen and kept free, before Envoy hears of them.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use aigw_config::Listener;
use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;

/// The address is taken, not ours, or not permitted: free it or choose another.
#[derive(Debug, Error)]
#[error("listener `{name}` cannot listen on {address}: {source}")]
pub struct PortError {
    /// Listener.
    name: String,
    /// Its address.
    address: String,
    /// Why.
    source: io::Error,
}

/// What was decided, for as long as there are listeners that ask for it.
#[derive(Debug, Default)]
pub struct Ports {
    /// By what a listener asks for: its name where the port is open, and its address.
    kept: HashMap<(String, String), Kept>,
    is_elsewhere: bool,
}

/// An address that nobody but this user can take: the socket is bound and never listens, so that it gets no connection.
#[derive(Debug)]
struct Kept {
    address: SocketAddr,
    _socket: Socket,
}

impl Ports {
    /// For an Envoy whose addresses are not this process's to decide: it may be there already, or on another machine.
    pub fn elsewhere() -> Self {
        Self {
            is_elsewhere: true,
            ..Self::default()
        }
    }

    /// Puts a real address in the place of each listener's. What was decided before stays; on an error nothing changes.
    pub async fn settle(&mut self, listeners: &mut [Listener]) -> Result<(), PortError> {
        if self.is_elsewhere {
            return Ok(());
        }
        let mut taken = Vec::new();
        let mut addresses = Vec::new();
        for listener in listeners.iter() {
            let key = key(listener);
            if let Some(kept) = self.kept.get(&key) {
                addresses.push(kept.address);
                continue;
            }
            let kept = keep(listener).await.map_err(|source| PortError {
                name: listener.name.clone(),
                address: listener.address.clone(),
                source,
            })?;
            addresses.push(kept.address);
            taken.push((key, kept));
        }
        self.kept.extend(taken);
        for (listener, address) in listeners.iter_mut().zip(addresses) {
            listener.address = address.to_string();
        }
        Ok(())
    }

    /// Gives up what none of these (settled) listeners uses.
    pub fn retain(&mut self, listeners: &[Listener]) {
        self.kept.retain(|_, kept| {
            let address = kept.address.to_string();
            listeners.iter().any(|listener| listener.address == address)
        });
    }
}

fn key(listener: &Listener) -> (String, String) {
    // Two listeners with port 0 get a port each; a listener that changes its name keeps its address.
    let name = if listener.address.ends_with(":0") {
        listener.name.as_str()
    } else {
        ""
    };
    (name.to_owned(), listener.address.clone())
}

async fn keep(listener: &Listener) -> io::Result<Kept> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in tokio::net::lookup_host(&listener.address).await? {
        match keep_address(address) {
            Ok(kept) => return Ok(kept),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn keep_address(address: SocketAddr) -> io::Result<Kept> {
    if address.port() != 0 {
        // Envoy shares its port with whoever else of this user shares it too: see first that nobody has it.
        let probe = socket(address)?;
        probe.set_reuse_address(true)?;
        probe.bind(&address.into())?;
        probe.listen(1)?;
    }
    let socket = socket(address)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    let address = socket
        .local_addr()?
        .as_socket()
        .ok_or_else(|| io::Error::other("not an IP address"))?;
    Ok(Kept {
        address,
        _socket: socket,
    })
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
}

#[cfg(test)]
mod tests {
    use aigw_config::Origin;

    use super::*;

    fn listener(name: &str, address: &str) -> Listener {
        Listener {
            name: name.to_owned(),
            address: address.to_owned(),
            tls: None,
            hostnames: vec![],
            origin: Origin::default(),
        }
    }

    #[tokio::test]
    async fn chosen_ports_stay_and_taken_ones_are_refused() {
        let mut ports = Ports::default();
        let asked = [
            listener("a", "127.0.0.1:0"),
            listener("b", "127.0.0.1:0"),
            listener("c", "localhost:0"),
        ];
        let mut first = asked.clone();
        ports.settle(&mut first).await.unwrap();
        assert!(first.iter().all(|listener| !listener.address.ends_with(":0")));
        assert_ne!(first[0].address, first[1].address);
        let mut again = asked.clone();
        ports.settle(&mut again).await.unwrap();
        for (one, other) in first.iter().zip(&again) {
            assert_eq!(one.address, other.address);
        }
        // Nobody answers there before Envoy does.
        assert!(std::net::TcpStream::connect(&first[0].address).is_err());

        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut taken = [listener("d", &other.local_addr().unwrap().to_string())];
        let error = ports.settle(&mut taken).await.unwrap_err().to_string();
        assert!(
            error.contains("listener `d` cannot listen on 127.0.0.1:"),
            "{error}"
        );

        ports.retain(&first[1..]);
        let mut more = asked.clone();
        ports.settle(&mut more).await.unwrap();
        assert_eq!(more[1].address, first[1].address);
    }
}
