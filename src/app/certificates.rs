//! Looks at the files of TLS while the program runs.
//!
//! ```text
//!            other content            the same again
//!   in force ─────────────▶ changing ───────────────▶ read ──▶ in force
//!      ▲                        ▲  other content       │
//!      └────── as before ───────┴──────────────────────┴─ a fault: a line of the log; what was, stays
//! ```
//!
//! A certificate and its key are two files, and are written one after the other. So they are read once two looks in a
//! row found the same, and only if they fit together they are put in force. A fault is reported once, until the files
//! change again. The files are read on a thread of their own: no request waits for a slow disk.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Sleep, sleep};

use crate::tls::{Content, Fault, ServerFiles, ServerTls};

/// The time between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// What the looks at the files found.
#[derive(Debug, Clone, Copy)]
struct Looks {
    last: Content,
    /// What was put in force or reported as a fault.
    judged: Content,
}

impl Looks {
    /// Notes what a look found; returns whether the files are to be read.
    fn found(&mut self, content: Content) -> bool {
        let has_settled = content == self.last;
        self.last = content;
        has_settled && content != self.judged
    }
}

/// What the files have become.
pub(super) type Changed = Result<ServerTls, Vec<Fault>>;

/// Watches the files that are in force.
#[derive(Debug, Default)]
pub(super) struct FileWatch {
    watched: Option<(ServerFiles, Looks)>,
    pause: Option<Pin<Box<Sleep>>>,
    looking: Option<JoinHandle<(Looks, Option<Changed>)>>,
}

impl FileWatch {
    /// Begins to watch the files of what is in force now.
    pub(super) fn watch(&mut self, in_force: Option<&ServerTls>) {
        let looks = |content| Looks {
            last: content,
            judged: content,
        };
        self.watched = in_force.map(|read| (read.files().clone(), looks(read.content())));
        // A look that is under way is one at the files before.
        self.looking = None;
    }

    /// Returns once the files have changed. May be dropped and called again at any time.
    pub(super) async fn changed(&mut self) -> Changed {
        loop {
            let Some((files, looks)) = &mut self.watched else {
                return pending().await;
            };
            let looking = match &mut self.looking {
                Some(looking) => looking,
                None => {
                    let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(PAUSE)));
                    pause.as_mut().await;
                    self.pause = None;
                    let (files, looks) = (files.clone(), *looks);
                    let look = move || look(&files, looks);
                    self.looking.insert(spawn_blocking(look))
                }
            };
            let looked = looking.await;
            self.looking = None;
            // A look that panicked has its line; the next one may do better.
            if let Ok((found, changed)) = looked {
                *looks = found;
                if let Some(changed) = changed {
                    return changed;
                }
            }
        }
    }
}

fn look(files: &ServerFiles, mut looks: Looks) -> (Looks, Option<Changed>) {
    let content = files.content();
    if !looks.found(content) {
        return (looks, None);
    }
    let read = files.read();
    looks.judged = read.as_ref().map_or(content, ServerTls::content);
    (looks, Some(read))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn write(folder: &Path, certificate: &str, key: &str) {
        fs::write(folder.join("cert.pem"), certificate).unwrap();
        fs::write(folder.join("key.pem"), key).unwrap();
    }

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["o.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[tokio::test(start_paused = true)]
    async fn files_are_read_once_they_rest_and_a_fault_is_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let files = ServerFiles {
            certificate: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
            client_ca: None,
            members_ca: None,
        };
        let (first, second) = (pair(), pair());
        write(folder.path(), &first.0, &first.1);
        let read = files.read().unwrap();
        let content = read.content();
        let mut looks = Looks {
            last: content,
            judged: content,
        };
        let mut look = || {
            let (found, changed) = look(&files, looks);
            looks = found;
            changed
        };
        assert_eq!(look(), None);
        write(folder.path(), &second.0, &first.1);
        assert_eq!(look(), None, "it may still be written");
        let faults = look().unwrap().unwrap_err();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].rule.contains("not the one"), "{}", faults[0].rule);
        assert_eq!(look(), None);
        write(folder.path(), &second.0, &second.1);
        assert_eq!(look(), None);
        let changed = look().unwrap().unwrap();
        assert_ne!(changed, read);
        assert_eq!(look(), None);
        fs::remove_file(folder.path().join("key.pem")).unwrap();
        assert_eq!(look(), None);
        let faults = look().unwrap().unwrap_err();
        assert!(faults[0].rule.contains("can be read"), "{}", faults[0].rule);
        write(folder.path(), &first.0, &first.1);
        assert_eq!(look(), None);
        assert_eq!(look(), Some(Ok(read.clone())));

        let mut watch = FileWatch::default();
        watch.watch(Some(&read));
        write(folder.path(), &second.0, &second.1);
        assert_eq!(watch.changed().await, Ok(changed));
    }
}
