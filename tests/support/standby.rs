//! A standby that streams from a throw-away PostgreSQL server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::postgres::{Server, command, own_directory, own_tree};

impl Server {
    /// A server that streams from this one, and can be promoted.
    pub fn standby(&self) -> Self {
        let directory = own_directory();
        own_tree(&directory, self.user).expect("the standby's own directory");
        let copied = command(&self.base_backup(), self.user)
            .args(["-h", "127.0.0.1", "-U", "postgres", "-R", "-X", "stream"])
            .args(["-c", "fast", "-p", &self.port.to_string(), "-D"])
            .arg(directory.join("data"))
            .stdin(Stdio::null())
            .output()
            .expect("pg_basebackup");
        assert!(
            copied.status.success(),
            "pg_basebackup: {}",
            String::from_utf8_lossy(&copied.stderr)
        );
        Self::begin(self.programs.clone(), self.user, directory, &self.options)
    }

    /// The program that copies a running server: beside the others, beside what they link to, or in `PATH`.
    fn base_backup(&self) -> PathBuf {
        const NAME: &str = "pg_basebackup";
        let linked = fs::canonicalize(self.programs.join("pg_ctl")).ok();
        let linked = linked.and_then(|program| program.parent().map(Path::to_owned));
        let places = [Some(self.programs.clone()), linked];
        let found = places.into_iter().flatten().map(|place| place.join(NAME));
        let mut found = found.filter(|program| program.is_file());
        found.next().unwrap_or_else(|| NAME.into())
    }

    /// Makes a standby the primary; returns when it takes writes.
    pub fn promote(&self) {
        let promoted = self.pg_ctl(&["promote"]);
        assert!(promoted.is_ok(), "{promoted:?}\n{}", self.log());
    }
}
