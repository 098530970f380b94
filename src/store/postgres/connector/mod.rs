//! Which servers, and how to connect to the one that takes writes. The only place that knows the URL's
//! password.

mod connecting;
mod history;
mod obstacles;
mod servers;

pub(super) use self::connecting::Connector;
pub(super) use self::history::{History, Use};
