//! Makes a bundle, and says where it is and what it lacks.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::SystemTime;

use super::archive::{Member, packed, write};
use super::parts::{Part, asked_for, known_here};
use super::redacted::without_passwords;
use crate::cli::client::connection::Connection;
use crate::cli::client::question::Address;
use crate::cli::exit::Exit;
use crate::cli::output::{complain, print};
use crate::config;

/// The first sentences of a bundle and of the command's output.
const NOTE: &str = "The passwords of the settings and of the URLs of streams are masked, and so is what looks like one in \
                    other texts. Names, labels, addresses of workers and reasons of operators are in here, and may hold \
                    a secret of another form. Read it before you pass it on.";

/// Makes the bundle and returns the exit code: it is done also if parts are missing.
pub(in crate::cli::client) fn carry_out(address: Address, file: Option<&OsStr>) -> Exit {
    let now = now();
    let stamp = humantime::format_rfc3339_seconds(now).to_string();
    let folder = format!("orchestrator-support-{}", stamp.replace([':', '-'], ""));
    let path = file.map_or_else(|| PathBuf::from(format!("{folder}.tar.gz")), PathBuf::from);
    let connection = connect(address);
    let mut parts = known_here();
    parts.extend(asked_for(connection.as_ref().map_err(String::as_str)));
    let from = match &connection {
        Ok(connection) => format!("the orchestrator at {}", connection.current()),
        Err(_) => "no orchestrator".to_owned(),
    };
    let manifest = manifest(&stamp, &from, &parts);
    let missing: Vec<String> = parts
        .iter()
        .filter_map(|part| Some(format!("  {}: {}\n", part.name, part.missing()?)))
        .collect();
    let mut members = vec![Member {
        name: "MANIFEST".to_owned(),
        text: manifest,
    }];
    members.extend(parts.into_iter().filter_map(Part::into_member));
    let shown = path.display();
    let written = packed(&folder, &members, now).and_then(|bytes| write(&path, &bytes));
    if let Err(error) = written {
        complain(&format!(
            "orchestrator: {shown} could not be written: {error}; name another file by --file"
        ));
        return Exit::Failed;
    }
    let lacks = match missing.len() {
        0 => String::new(),
        count => format!("{count} parts are missing:\n{}", missing.concat()),
    };
    print(&format!("Written: {shown}\n{lacks}{NOTE}\n"))
}

fn connect(address: Address) -> Result<Connection, String> {
    let Address { url, key_file } = address;
    let (urls, _) = config::server_urls(url)?;
    let key = config::server_key(key_file)?;
    Connection::to(urls, &config::caller_files()?, key)
}

fn manifest(stamp: &str, from: &str, parts: &[Part]) -> String {
    let lines: Vec<String> = parts.iter().map(Part::line).collect();
    without_passwords(&format!(
        "Support bundle of orchestrator {}, made at {stamp} from {from}.\n{NOTE}\n\n{}\n",
        env!("CARGO_PKG_VERSION"),
        lines.join("\n")
    ))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bundle tells the wall's time of its making; nothing is decided by it"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
