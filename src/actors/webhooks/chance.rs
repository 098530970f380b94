//! What of a target does not follow from anything: its secret, and its part of message ids.

use crate::domain::webhook::{Fresh, Secret};

/// Returns a new secret and a new part of message ids.
pub fn fresh() -> Fresh {
    let random = rustls::crypto::ring::default_provider().secure_random;
    let mut bytes = vec![0; 32];
    let mut uid = [0; 8];
    // The system's generator does not fail once the process runs; without it there would be no TLS either.
    let filled = random.fill(&mut bytes).and_then(|()| random.fill(&mut uid));
    debug_assert!(filled.is_ok(), "the system gives out random bytes");
    let uid: String = uid.iter().map(|byte| format!("{byte:02x}")).collect();
    Fresh {
        secret: Secret::from_bytes(bytes).unwrap_or_else(|| unreachable!("32 bytes are enough")),
        uid,
    }
}
