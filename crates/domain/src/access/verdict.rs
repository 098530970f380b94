//! Whether a key is good at a moment.

use super::key::AccessKey;
use crate::time::WallTime;

/// Why a key that is known does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefusal {
    /// Its time is over since then.
    Expired(WallTime),
    /// An admin has revoked it then.
    Revoked(WallTime),
}

/// Judges a key. A key is good until the moment at which it expires, and not at that moment.
///
/// # Errors
/// Returns why the key does not do. If it is both, then it counts as revoked, because an admin decided that.
pub fn judge_key(key: &AccessKey, now: WallTime) -> Result<(), KeyRefusal> {
    if let Some(at) = key.revoked_at {
        return Err(KeyRefusal::Revoked(at));
    }
    match key.expires_at {
        Some(at) if at <= now => Err(KeyRefusal::Expired(at)),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::role::Role;
    use super::*;
    use crate::ids::KeyId;

    #[test]
    fn a_key_is_good_until_it_expires_or_is_revoked() {
        let moment = WallTime::from_micros;
        let key = |expires_at, revoked_at| AccessKey {
            id: KeyId::new(1),
            name: "a".to_owned(),
            role: Role::Viewer,
            server_ids: Vec::new(),
            created_at: moment(0),
            expires_at,
            revoked_at,
            last_used_at: None,
        };
        let (five, six) = (moment(5), moment(6));
        assert_eq!(judge_key(&key(None, None), six), Ok(()));
        assert_eq!(judge_key(&key(Some(six), None), five), Ok(()));
        assert_eq!(
            judge_key(&key(Some(six), None), six),
            Err(KeyRefusal::Expired(six))
        );
        assert_eq!(
            judge_key(&key(None, Some(five)), six),
            Err(KeyRefusal::Revoked(five))
        );
        assert_eq!(
            judge_key(&key(Some(six), Some(five)), six),
            Err(KeyRefusal::Revoked(five))
        );
    }
}
