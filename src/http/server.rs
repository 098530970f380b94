//! The HTTP server itself.

use std::io;
use std::net::{SocketAddr, TcpListener};

use actix_http::HttpService;
use actix_service::{ServiceFactoryExt, map_config};
use actix_web::body::BoxBody;
use actix_web::dev::{
    AppConfig, Server, ServiceFactory, ServiceRequest, ServiceResponse, fn_service,
};
use actix_web::web::Data;
use actix_web::{App, Error, middleware};
use tokio::net::TcpStream;

use super::connection::tell_the_connection;
use super::description;
use super::docs::Description;
use super::forwarding::MemberClient;
use super::gate::Gate;
use super::identify::identify;
use super::measuring::measure;
use super::panics::answer_panics;
use super::passage::through_the_gate;
use super::retry::name_the_next_probe;
use super::route_table::configure;
use super::socket::{Entrance, Socket};
use super::withholding::withhold_without_proof;

/// Two: handlers only pass messages on, and this program runs on small machines.
const WORKERS: usize = 2;

/// Connections that wait to be accepted: a whole fleet may come back at once.
const BACKLOG: u32 = 4_096;

/// More than any system has files. The number of open files bounds the number of connections, and
/// that is watched (`app/hearing.rs`). A listener that stopped by itself at another number would
/// make workers silent without any log line.
const MAX_CONNECTIONS: usize = 10_000_000;

/// Listens on an address, with room for many connections that wait. Needs a tokio runtime.
///
/// # Errors
/// Returns an error if the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        tokio::net::TcpSocket::new_v4()?
    } else {
        tokio::net::TcpSocket::new_v6()?
    };
    // A restart does not wait for the connections of the run before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Returns everything that is served, for a server of one's own: with an `AppState`, or a gate that
/// opens later.
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
    let gate = gate.into();
    App::new()
        .app_data(gate.access().clone())
        .app_data(Data::from(gate.encryption()))
        .app_data(MemberClient::new(gate.tls(), gate.cluster()))
        .app_data(gate)
        .app_data(Data::new(Description(description::page)))
        .wrap(middleware::from_fn(withhold_without_proof))
        .wrap(middleware::from_fn(name_the_next_probe))
        .wrap(middleware::from_fn(answer_panics))
        .wrap(middleware::from_fn(measure))
        .wrap(middleware::from_fn(through_the_gate))
        .wrap(middleware::from_fn(tell_the_connection))
        .wrap(middleware::from_fn(identify))
        .configure(configure)
}

/// Serves on a listener, best one from [`bind`]. Starts at once, and runs until its handle stops
/// it; the gate counts the requests under way then. Signals are left to the caller.
///
/// This is `actix_web::HttpServer` for HTTP/1.1, except for the sockets, which are guarded. With certificates in
/// the gate ([`Gate::speak_tls`]) each of them speaks TLS, and nothing else.
///
/// # Errors
/// Returns an error if the listener cannot be used.
pub fn serve(listener: TcpListener, gate: impl Into<Gate>) -> io::Result<Server> {
    let gate = gate.into();
    let limits = gate.client_limits();
    let encryption = gate.encryption();
    let address = listener.local_addr()?;
    let builder = Server::build()
        .workers(WORKERS)
        .disable_signals()
        .max_concurrent_connections(MAX_CONNECTIONS);
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("http", listener, move || {
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(limits.idle)
            .client_request_timeout(limits.head)
            .client_disconnect_timeout(limits.close)
            .local_addr(address)
            .on_connect_ext(|socket: &Socket, data| socket.describe(data))
            .h1(map_config(app(gate.clone()), |()| AppConfig::default()));
        let entrance = Entrance::new(limits, encryption.clone());
        fn_service(move |socket: TcpStream| entrance.clone().admit(socket))
            .map_err(actix_http::error::DispatchError::Io)
            .and_then(http)
    })?;
    Ok(builder.run())
}
