//! A TCP proxy, between the program and its database or a worker and the program, that can stop
//! passing anything on, in one direction or both: who is asked then accepts connections and never
//! answers.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// A proxy on a free port of its own. Its threads end with the connections they serve.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: Arc<AtomicU16>,
    requests: Arc<Gate>,
    answers: Arc<Gate>,
    open: Arc<Mutex<Vec<TcpStream>>>,
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
        let requests = Arc::new(Gate::default());
        let answers = Arc::new(Gate::default());
        let shared = (requests.clone(), answers.clone());
        let target = Arc::new(AtomicU16::new(port));
        let current = target.clone();
        let open = Arc::new(Mutex::new(Vec::new()));
        let clients = open.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", current.load(Ordering::Acquire)))
                else {
                    continue;
                };
                let (back, forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                clients.lock().unwrap().push(client.try_clone().unwrap());
                let (gate_forth, gate_back) = shared.clone();
                thread::spawn(move || copy(client, forth, &gate_forth));
                thread::spawn(move || copy(server, back, &gate_back));
            }
        });
        Self {
            address,
            target,
            requests,
            answers,
            open,
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// New connections go to another port from now on.
    pub fn redirect(&self, port: u16) {
        self.target.store(port, Ordering::Release);
    }

    /// Ends every connection, and each new one at once.
    pub fn cut(&self) {
        // Nothing listens there.
        self.redirect(1);
        for client in self.open.lock().unwrap().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// From now on nothing is passed on, in either direction.
    pub fn freeze(&self) {
        self.requests.set(true);
        self.answers.set(true);
    }

    /// From now on requests arrive and their answers do not.
    pub fn freeze_answers(&self) {
        self.answers.set(true);
    }

    /// What was held back is passed on, and all that follows.
    pub fn thaw(&self) {
        self.requests.set(false);
        self.answers.set(false);
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
