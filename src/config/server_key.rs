//! The key with which the commands call a running orchestrator.
//!
//! It comes from a file or from the environment, never from an argument: every user of a machine sees the arguments of
//! its programs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use super::sources::Sources;
use super::table::SERVER_KEY;
use crate::domain::access::KeySecret;

/// A key. It is printed by no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerKey(String);

impl ServerKey {
    /// Returns the text: for a header, never for a message.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

/// Reads the key from the file of the flag, else from the environment or `.env`; `None` if none is named.
///
/// # Errors
/// Returns a sentence if the file cannot be read, or holds no key.
pub fn server_key(file: Option<OsString>) -> Result<Option<ServerKey>, String> {
    if let Some(file) = file {
        let shown = file.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("the file {shown} of --key-file cannot be read: {error}"))?;
        let line = text.lines().next().unwrap_or_default();
        return checked(line, &format!("the first line of {shown} (--key-file)")).map(Some);
    }
    let sources = Sources::of_process(BTreeMap::new());
    let given = sources.get(SERVER_KEY);
    let given = given.map(|(_, value)| value.to_string_lossy().into_owned());
    given.map(|text| checked(&text, SERVER_KEY)).transpose()
}

fn checked(text: &str, place: &str) -> Result<ServerKey, String> {
    match KeySecret::parse(text.trim()) {
        Some(secret) => Ok(ServerKey(secret.expose())),
        None => Err(format!(
            "{place} is no key; a key is `ork_` and 43 letters, digits, `-` and `_`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ork_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    #[test]
    fn a_key_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, format!(" {KEY} \nmore\n")).unwrap();
        let key = server_key(Some(path.clone().into())).unwrap().unwrap();
        assert_eq!(key.expose(), KEY);
        assert_eq!(format!("{key:?}"), "ServerKey(…)");
        std::fs::write(&path, "hunter2").unwrap();
        let refused = server_key(Some(path.into())).unwrap_err();
        assert!(
            refused.contains("is no key") && !refused.contains("hunter2"),
            "{refused}"
        );
        let missing = server_key(Some("/nothing/here".into())).unwrap_err();
        assert!(missing.contains("/nothing/here"), "{missing}");
    }
}
