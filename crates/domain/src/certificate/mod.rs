//! When a certificate becomes an alert. Which instances a worker's certificate names is in `access/peer_names.rs`;
//! bytes are read elsewhere (`src/tls`).

mod expiry;

pub use expiry::{CertificateUse, Expiry, verdict};
