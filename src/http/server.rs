//! The HTTP server itself.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::{App, Error, HttpServer, middleware};

use super::gate::{Gate, through_the_gate};
use super::panics::answer_panics;
use super::retry::name_the_next_probe;
use super::route_table::configure;

/// Two: handlers only pass messages on, and the machines this runs on are small.
const WORKERS: usize = 2;

/// Connections that wait to be accepted: a whole fleet may come back at once.
const BACKLOG: u32 = 4_096;

/// More than any system has files: what bounds the number of connections is how many files the
/// process may open, and that is watched (`app/hearing.rs`). A listener that stopped by itself at
/// another number would make workers silent without a word.
const MAX_CONNECTIONS: usize = 10_000_000;

/// How long the head of a request may take, so that slow senders hold no connection for long.
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// Longer than the 30 s after which workers call again, so that they keep their connection.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a client may take to close after it was answered and told to.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Listens on an address, with room for many connections that wait. Needs a tokio runtime.
///
/// # Errors
/// If the address cannot be listened on.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        tokio::net::TcpSocket::new_v4()?
    } else {
        tokio::net::TcpSocket::new_v6()?
    };
    // A restart must not wait for the connections of the run before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Everything that is served, for a server of one's own: an `AppState`, or a gate that opens later.
pub fn app(
    gate: impl Into<Gate>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(gate.into())
        .wrap(middleware::from_fn(name_the_next_probe))
        .wrap(middleware::from_fn(answer_panics))
        .wrap(middleware::from_fn(through_the_gate))
        .configure(configure)
}

/// Serves on a listener; best one that [`bind`] made. Starts at once, and runs until its handle
/// is told to stop; what is under way then is counted by the gate. Signals are left to the caller.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve(listener: TcpListener, gate: impl Into<Gate>) -> io::Result<Server> {
    let gate = gate.into();
    let server = HttpServer::new(move || app(gate.clone()))
        .workers(WORKERS)
        .disable_signals()
        .max_connections(MAX_CONNECTIONS)
        .client_request_timeout(HEAD_LIMIT)
        .client_disconnect_timeout(CLOSE_LIMIT)
        .keep_alive(KEEP_ALIVE)
        .listen(listener)?
        .run();
    Ok(server)
}
