//! Random secrets, and their hashes.

use sha2::{Digest, Sha256};

use crate::domain::access::{KeyHash, KeySecret};

/// Returns a new secret of 256 random bits.
pub fn new_secret() -> KeySecret {
    let random = rustls::crypto::ring::default_provider().secure_random;
    let mut bytes = [0; 32];
    // The system's generator does not fail once the process runs. A key that is no secret must never be made.
    if random.fill(&mut bytes).is_err() {
        unreachable!("the system gives out random bytes");
    }
    KeySecret::from_bytes(bytes)
}

/// Returns the hash by which a secret is known.
pub fn hash_of(secret: &KeySecret) -> KeyHash {
    KeyHash::new(Sha256::digest(secret.bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_secrets_differ_and_a_hash_is_that_of_the_standard() {
        assert_ne!(new_secret(), new_secret());
        let zero = hash_of(&KeySecret::from_bytes([0; 32]));
        let expected = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert_eq!(zero.to_hex(), expected);
    }
}
