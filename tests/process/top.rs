//! `orchestrator top` on a real terminal, beside a real orchestrator.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::support::process::{Orchestrator, command, start};
use crate::support::proxy::Proxy;

/// How long nothing is drawn before the size changes; shorter than the pause between two answers.
const QUIET: Duration = Duration::from_millis(150);

/// How many pieces of the drawing are read before the size changes.
const PIECES: u32 = 50;

/// How often the size changes before something is missing.
const LOOKS: u16 = 200;

const SIZE: Winsize = Winsize {
    ws_row: 30,
    ws_col: 120,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// `top` on a terminal of its own.
struct Screen {
    child: Child,
    keys: File,
    terminal: File,
    drawn: Receiver<Vec<u8>>,
    seen: String,
}

impl Screen {
    fn open(folder: &TempDir, address: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let terminal = File::from(open(path, flags, Mode::empty()).unwrap());
        tcsetwinsize(&terminal, SIZE).unwrap();
        let child = command(folder.path(), &[("ORCHESTRATOR_URL", address)])
            .args(["top", "--every", "0.5"])
            .stdin(Stdio::from(terminal.try_clone().unwrap()))
            .stdout(Stdio::from(terminal.try_clone().unwrap()))
            .spawn()
            .unwrap();
        let keys = File::from(master);
        let mut screen = keys.try_clone().unwrap();
        let (tell, drawn) = mpsc::channel();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut piece) {
                if tell.send(piece[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            keys,
            terminal,
            drawn,
            seen: String::new(),
        }
    }

    /// Returns once the screen shows this word. Only what changes is drawn, so the terminal changes its size
    /// again and again: then everything is drawn anew, but for spaces.
    fn shows(&mut self, text: &str) {
        for look in 0..LOOKS {
            let mut whole = SIZE;
            whole.ws_col += look % 2;
            tcsetwinsize(&self.terminal, whole).unwrap();
            for _ in 0..PIECES {
                let Ok(piece) = self.drawn.recv_timeout(QUIET) else {
                    break;
                };
                self.seen.push_str(&String::from_utf8_lossy(&piece));
                if self.seen.contains(text) {
                    return;
                }
            }
        }
        panic!("{text:?} is missing: {:?}", self.seen);
    }

    fn press(&mut self, keys: &str) {
        self.seen.clear();
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn modes(&self) -> Termios {
        tcgetattr(&self.terminal).unwrap()
    }

    /// Waits for the end, and returns the exit code. The terminal is as it was.
    fn ends(mut self, before: &Termios) -> Option<i32> {
        let code = self.child.wait().unwrap().code();
        self.shows("\u{1b}[?1049l");
        assert_eq!(self.modes().local_modes, before.local_modes);
        code
    }
}

fn desk() -> (TempDir, Orchestrator) {
    let folder = tempdir().unwrap();
    let orchestrator = start(folder.path(), &[]);
    for id in ["north-1", "south-1"] {
        let body = json!({"server_id": id, "ip": "10.0.0.1", "port": 1, "max_streams": 5});
        assert_eq!(orchestrator.post("/register", &body).0, 200);
    }
    (folder, orchestrator)
}

#[test]
fn a_person_looks_around_and_drains_an_instance() {
    let (folder, orchestrator) = desk();
    let mut screen = Screen::open(&folder, orchestrator.address());
    screen.shows("north-1");
    let raw = screen.modes();
    assert!(!raw.local_modes.contains(LocalModes::ECHO), "keys are read");
    screen.press("/north\r");
    screen.shows("only");
    screen.press("\r");
    screen.shows("Instance");
    screen.press("\u{1b}");
    screen.shows("SILENT");
    screen.press("d");
    screen.shows("order this drain");
    let (status, _) = orchestrator.get("/instances/north-1/drain");
    assert_eq!(status, 404, "nothing is ordered yet");
    screen.press("y");
    // What the orchestrator answered.
    screen.shows("drains:");
    let (status, drain) = orchestrator.get("/instances/north-1/drain");
    assert_eq!(
        (status, &drain["reason"]),
        (200, &json!("ordered in orchestrator top"))
    );
    let mut after = raw.clone();
    after.local_modes |=
        LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
    screen.press("q");
    assert_eq!(screen.ends(&after), Some(0));
}

#[test]
fn the_view_goes_on_at_the_other_orchestrator_and_says_so() {
    let (folder, orchestrator) = desk();
    let direct = orchestrator.address();
    let port = direct.rsplit(':').next().unwrap().parse().unwrap();
    let first = Proxy::in_front_of(port);
    let both = format!("http://127.0.0.1:{},{direct}", first.port());
    let mut screen = Screen::open(&folder, &both);
    screen.shows("north-1");
    let mut after = screen.modes();
    after.local_modes |=
        LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
    first.cut();
    screen.shows("answers.");
    let body = json!({"server_id": "west-1", "ip": "10.0.0.1", "port": 1, "max_streams": 5});
    assert_eq!(orchestrator.post("/register", &body).0, 200);
    screen.shows("west-1");
    screen.press("q");
    assert_eq!(screen.ends(&after), Some(0));
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let (folder, orchestrator) = desk();
    let mut screen = Screen::open(&folder, orchestrator.address());
    screen.shows("north-1");
    let mut after = screen.modes();
    after.local_modes |=
        LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
    let pid = Pid::from_child(&screen.child);
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(screen.ends(&after), Some(130));
}

#[test]
fn without_a_terminal_it_names_what_programs_use() {
    let (folder, orchestrator) = desk();
    let output = command(
        folder.path(),
        &[("ORCHESTRATOR_URL", orchestrator.address())],
    )
    .arg("top")
    .stdin(Stdio::null())
    .stdout(Stdio::piped())
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("status --json"), "{complaint}");
}
