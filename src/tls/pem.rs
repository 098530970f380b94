//! Reads PEM files. What is wrong is said as the end of a sentence that begins with the setting that names the
//! file, and never repeats what stands in it.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// More than the certificates of all public authorities take.
const MAX_FILE: u64 = 1024 * 1024;

/// Reads a file. It must be a regular one: a pipe could be read once only, and holds up its reader.
///
/// # Errors
/// Returns the rule that the file breaks.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let refuse = |error: std::io::Error| format!("must name a file that can be read: {error}");
    if !fs::metadata(path).map_err(refuse)?.is_file() {
        return Err("must name a file, and this is none".to_owned());
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(refuse)?;
    let mut file = file.take(MAX_FILE + 1);
    file.read_to_end(&mut content).map_err(refuse)?;
    if content.len() as u64 > MAX_FILE {
        return Err("must name a file of at most 1 MiB".to_owned());
    }
    Ok(content)
}

/// Returns the certificates of a file, in their order; other sections are passed over.
///
/// # Errors
/// Returns the rule that the content breaks.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(
            "must name a PEM file with a certificate (-----BEGIN CERTIFICATE-----), and it has none"
                .to_owned(),
        ),
        Err(_) => Err("must name a PEM file, and it is damaged".to_owned()),
    }
}

/// Returns the private key of a file; other sections are passed over.
///
/// # Errors
/// Returns the rule that the content breaks.
pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if is_encrypted(pem) {
        return Err(
            "must name a key without a password: a program that starts by itself cannot be asked for \
             it; `openssl pkey -in FILE -out NEW` writes one"
                .to_owned(),
        );
    }
    let mut found = PrivateKeyDer::pem_slice_iter(pem);
    match (found.next(), found.next()) {
        (Some(Ok(key)), None) => Ok(key),
        (None, _) => Err(
            "must name a PEM file with a private key (-----BEGIN PRIVATE KEY-----), and it has none"
                .to_owned(),
        ),
        (Some(Ok(_)), Some(Ok(_))) => {
            Err("must name a file with one private key, and it has several".to_owned())
        }
        (Some(_), _) => Err("must name a PEM file, and it is damaged".to_owned()),
    }
}

/// Returns whether a file has a key that a password protects, in the newer or the older form.
fn is_encrypted(pem: &[u8]) -> bool {
    let mut lines = pem.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.any(|line| {
        line == b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
            || line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let refused = read(&folder.path().join("none.pem")).unwrap_err();
        assert!(refused.contains("No such file"), "{refused}");
        assert!(
            read(folder.path())
                .unwrap_err()
                .contains("must name a file")
        );
        let long = folder.path().join("long.pem");
        fs::write(&long, vec![b'x'; MAX_FILE as usize + 1]).unwrap();
        assert!(read(&long).unwrap_err().contains("1 MiB"));
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let secret = key.lines().nth(1).unwrap();
        let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let older = key.replace("PRIVATE", "EC PRIVATE").replacen(
            '\n',
            "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\n",
            1,
        );
        let cut = &key[..key.len() - 10];
        let twice = key.repeat(2);
        for (content, part) in [
            ("", "it has none"),
            ("no PEM at all", "it has none"),
            (&encrypted, "without a password"),
            (&older, "without a password"),
            (cut, "damaged"),
            (&twice, "several"),
        ] {
            let refused = private_key(content.as_bytes()).unwrap_err();
            assert!(refused.contains(part), "{content}: {refused}");
            assert!(!refused.contains(secret), "{refused}");
        }
        assert!(private_key(key.as_bytes()).is_ok());
        let refused = certificates(key.as_bytes()).unwrap_err();
        assert!(refused.contains("it has none"), "{refused}");
        let damaged = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        assert!(
            certificates(damaged.as_bytes())
                .unwrap_err()
                .contains("damaged")
        );
    }
}
