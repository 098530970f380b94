//! The file: a tar archive, compressed with gzip.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

/// A file within the archive.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) text: String,
}

/// Returns an archive with a folder that has the members.
///
/// # Errors
/// Returns an error if a name is too long for an archive.
pub(super) fn packed(folder: &str, members: &[Member], at: SystemTime) -> io::Result<Vec<u8>> {
    let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for member in members {
        let mut header = Header::new_gnu();
        header.set_size(member.text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(since_epoch.as_secs());
        let path = format!("{folder}/{}", member.name);
        archive.append_data(&mut header, path, member.text.as_bytes())?;
    }
    archive.into_inner()?.finish()
}

/// Writes a new file that only its owner can read.
///
/// # Errors
/// Returns an error if the file exists or cannot be written.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // A part of an archive is none; the error of writing is the reason.
        let _ = std::fs::remove_file(path);
    }
    written
}
