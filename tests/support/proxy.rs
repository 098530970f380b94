//! A TCP proxy, between the program and its database or a worker and the program, that can stop
//! passing anything on, in one direction or both: who is asked then accepts connections and never
//! answers.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// A proxy on a free port of its own. Its threads end with the connections they serve.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: Arc<Line>,
}

/// What the connections of a proxy share.
#[derive(Debug)]
struct Line {
    target: AtomicU16,
    requests: Gate,
    answers: Gate,
    /// The clients that are connected, by the number of their connection.
    open: Mutex<BTreeMap<u64, TcpStream>>,
}

#[derive(Debug, Default)]
struct Gate {
    is_frozen: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, is_frozen: bool) {
        *self.is_frozen.lock().unwrap() = is_frozen;
        self.changed.notify_all();
    }

    /// Returns once something may be passed on.
    fn pass(&self) {
        let frozen = self.is_frozen.lock().unwrap();
        drop(
            self.changed
                .wait_while(frozen, |is_frozen| *is_frozen)
                .unwrap(),
        );
    }
}

impl Proxy {
    /// In front of a port on loopback.
    pub fn in_front_of(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let line = Arc::new(Line {
            target: AtomicU16::new(port),
            requests: Gate::default(),
            answers: Gate::default(),
            open: Mutex::default(),
        });
        let accepting = line.clone();
        thread::spawn(move || {
            for (number, client) in (0..).zip(listener.incoming().map_while(Result::ok)) {
                let line = accepting.clone();
                thread::spawn(move || line.carry(number, client));
            }
        });
        Self { address, line }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// New connections go to another port from now on.
    pub fn redirect(&self, port: u16) {
        self.line.target.store(port, Ordering::Release);
    }

    /// Ends every connection, and each new one at once.
    pub fn cut(&self) {
        // Nothing listens there.
        self.redirect(1);
        for client in self.line.open.lock().unwrap().values() {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// From now on nothing is passed on, in either direction. New connections are accepted, and go no further.
    pub fn freeze(&self) {
        self.line.requests.set(true);
        self.line.answers.set(true);
    }

    /// From now on requests arrive and their answers do not.
    pub fn freeze_answers(&self) {
        self.line.answers.set(true);
    }

    /// What was held back is passed on, and all that follows.
    pub fn thaw(&self) {
        self.line.requests.set(false);
        self.line.answers.set(false);
    }
}

impl Line {
    /// Carries a connection until it ends.
    fn carry(&self, number: u64, client: TcpStream) {
        if let Ok(open) = client.try_clone() {
            self.open.lock().unwrap().insert(number, open);
            // A client whose target refuses sees the end of its connection.
            let _ = self.pass_on(client);
            self.open.lock().unwrap().remove(&number);
        }
    }

    fn pass_on(&self, client: TcpStream) -> io::Result<()> {
        // The target must not see connections while nothing arrives there.
        self.requests.pass();
        let target = self.target.load(Ordering::Acquire);
        let server = TcpStream::connect(("127.0.0.1", target))?;
        // Pieces are passed on as they come.
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (back, forth) = (client.try_clone()?, server.try_clone()?);
        thread::scope(|scope| {
            scope.spawn(|| copy(server, back, &self.answers));
            copy(client, forth, &self.requests);
        });
        Ok(())
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, gate: &Gate) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        gate.pass();
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
