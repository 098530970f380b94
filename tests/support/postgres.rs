//! A throw-away PostgreSQL server from the binaries on this machine.
//!
//! Every test process has at most one shared server, and every test a database of its own on it.
//! A small shell process holds the other end of a pipe of the test process: when that ends, in
//! whatever way, the shell stops the server and removes its files. With `TEST_DATABASE_URL` set,
//! databases are made on that server instead.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{FlockOperation, flock};
use tokio_postgres::{Client, NoTls};

const MISSING: &str = "no PostgreSQL server to test with: install the server's binaries \
    (apt-get install postgresql) or set TEST_DATABASE_URL to a server where databases may be \
    created";

/// A user other than root: PostgreSQL refuses to run as root.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

/// A server on loopback, in a directory of its own.
#[derive(Debug)]
pub struct Server {
    pub(super) programs: PathBuf,
    pub(super) user: Option<User>,
    directory: PathBuf,
    pub(super) port: u16,
    pub(super) options: String,
    /// Its standard input is the pipe whose closing ends the server.
    _keeper: Child,
}

impl Server {
    /// The server that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[], ""))
    }

    /// A server of one's own, with extra files (name and content) in its data directory and
    /// extra options for `postgres`.
    pub fn start(files: &[(&str, String)], options: &str) -> Self {
        let programs = programs().unwrap_or_else(|| panic!("{MISSING}"));
        let user = other_user();
        let template = template(&programs, user);
        let directory = own_directory();
        let data = directory.join("data");
        copy_tree(&template, &data).expect("a copy of the template");
        for (name, content) in files {
            let file = data.join(name);
            fs::write(&file, content).expect("a file for the server");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
        }
        own_tree(&directory, user).expect("the server's own directory");
        Self::begin(programs, user, directory, options)
    }

    /// Starts the server on what is in its directory.
    pub(super) fn begin(
        programs: PathBuf,
        user: Option<User>,
        directory: PathBuf,
        options: &str,
    ) -> Self {
        let keeper = command(Path::new("sh"), user)
            .args(["-c", KEEPER, "keeper"])
            .arg(programs.join("pg_ctl"))
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal to the group of the test must leave the keeper alive to clean up.
            .process_group(0)
            .spawn()
            .expect("a shell");
        let mut server = Self {
            programs,
            user,
            directory,
            port: 0,
            options: options.to_owned(),
            _keeper: keeper,
        };
        // Between finding a free port and listening on it, another process may take it.
        for _ in 0..5 {
            server.port = free_port();
            if server.try_start().is_ok() {
                return server;
            }
        }
        panic!("the server does not start: {}", server.log());
    }

    /// Ends the server as a crash would; connections are cut.
    pub fn stop_immediate(&self) {
        let stopped = self.pg_ctl(&["-m", "immediate", "stop"]);
        assert!(stopped.is_ok(), "{stopped:?}");
    }

    /// Starts a stopped server on the same port and data; returns when it accepts connections.
    pub fn start_again(&self) {
        let started = self.try_start();
        assert!(started.is_ok(), "{started:?}\n{}", self.log());
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database.
    pub async fn database(&self) -> Database {
        Database::create(format!(
            "postgres://postgres@127.0.0.1:{}/postgres",
            self.port
        ))
        .await
    }

    fn try_start(&self) -> Result<(), String> {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories='' \
             -c max_connections=50 -c shared_buffers=32MB {}",
            self.port, self.options
        );
        let log = self.directory.join("log");
        let log = log.to_str().expect("a path in UTF-8");
        self.pg_ctl(&["-t", "60", "-l", log, "-o", &options, "start"])
    }

    /// Waits until it is done; `pg_ctl` knows how.
    pub(super) fn pg_ctl(&self, arguments: &[&str]) -> Result<(), String> {
        let output = command(&self.programs.join("pg_ctl"), self.user)
            .arg("-D")
            .arg(self.directory.join("data"))
            .arg("-w")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("pg_ctl");
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

/// Waits for the end of its input, then cleans up. `$1` is `pg_ctl`, `$2` the directory.
const KEEPER: &str = r#"
    cat >/dev/null
    "$1" -D "$2/data" -w -m immediate stop
    rm -rf "$2"
"#;

/// A user other than root, if this process is root's.
fn other_user() -> Option<User> {
    rustix::process::geteuid()
        .is_root()
        .then(|| user_of("postgres").or_else(|| user_of("nobody")))
        .map(|user| user.expect("neither `postgres` nor `nobody` is a user here"))
}

pub(super) fn own_directory() -> PathBuf {
    tempfile::Builder::new()
        .prefix("test-postgres-")
        .tempdir()
        .expect("a temporary directory")
        .keep()
}

/// An empty database for one test.
#[derive(Debug)]
pub struct Database {
    admin: String,
    name: String,
}

impl Database {
    /// On the given server, or on the shared one.
    pub async fn new() -> Self {
        match given_server() {
            Some(url) => Self::create(url).await,
            None => Server::shared().database().await,
        }
    }

    async fn create(admin: String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "test_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        connect(&admin)
            .await
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a database of our own");
        Self { admin, name }
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let (base, query) = match self.admin.split_once('?') {
            Some((base, query)) => (base, format!("?{query}")),
            None => (self.admin.as_str(), String::new()),
        };
        let server = base.rfind('/').map_or(base, |slash| &base[..slash]);
        format!("{server}/{}{query}", self.name)
    }

    /// A connection beside those of the store.
    pub async fn connect(&self) -> Client {
        connect(&self.url()).await
    }
}

impl Drop for Database {
    /// Our own server goes as a whole; a server that was given is left as it was.
    fn drop(&mut self) {
        if given_server().is_none() {
            return;
        }
        let (admin, name) = (self.admin.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                connect(&admin).await.batch_execute(&sql).await
            })
        })
        .join();
        if !std::thread::panicking() {
            dropped.expect("a thread").expect("the database is dropped");
        }
    }
}

/// A plain connection, driven by the caller's runtime.
pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("a connection to the test server");
    tokio::spawn(connection);
    client
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells the tests, not the program, where to run"
)]
fn given_server() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok()
}

/// The directory with `initdb`, `pg_ctl` and `postgres`: from `PATH`, else the newest installed.
#[expect(
    clippy::disallowed_methods,
    reason = "looks for programs where the shell would"
)]
fn programs() -> Option<PathBuf> {
    let complete = |directory: &PathBuf| {
        ["initdb", "pg_ctl", "postgres"]
            .iter()
            .all(|program| directory.join(program).is_file())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(directory) = std::env::split_paths(&path).find(complete) {
        return Some(directory);
    }
    let mut installed: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, directory)| complete(directory))
        .collect();
    installed.sort();
    installed.pop().map(|(_, directory)| directory)
}

fn user_of(name: &str) -> Option<User> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(User {
        uid: fields.next()?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
    })
}

pub(super) fn command(program: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").current_dir("/");
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Where the build keeps files of tests. An example is not told; it lies beside the folder.
fn place() -> PathBuf {
    let place = option_env!("CARGO_TARGET_TMPDIR").map(PathBuf::from);
    place.unwrap_or_else(|| {
        let program = std::env::current_exe().expect("this program");
        let target = program.ancestors().nth(3).expect("the build's folder");
        let place = target.join("tmp");
        fs::create_dir_all(&place).expect("a folder");
        place
    })
}

/// A data directory as `initdb` leaves it. Making one takes a second, copying it does not; it is
/// kept beside the build's other files, and made under a lock because tests run side by side.
fn template(programs: &Path, user: Option<User>) -> PathBuf {
    let place = place();
    let name: String = programs
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let template = place.join(format!("postgres{name}"));
    let lock = fs::File::create(place.join("postgres.lock")).expect("a lock file");
    flock(&lock, FlockOperation::LockExclusive).expect("the lock");
    if !template.is_dir() {
        let made = tempfile::tempdir().expect("a temporary directory");
        own_tree(made.path(), user).expect("a directory for initdb");
        let data = made.path().join("data");
        let output = command(&programs.join("initdb"), user)
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8"])
            .args(["--no-locale", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .expect("initdb");
        assert!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        // Only a complete copy may bear the name.
        let half = place.join(format!("postgres{name}.half"));
        let _ = fs::remove_dir_all(&half);
        copy_tree(&data, &half).expect("a copy of the new data directory");
        fs::rename(&half, &template).expect("the template's name");
    }
    template
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

pub(super) fn own_tree(path: &Path, user: Option<User>) -> io::Result<()> {
    let Some(user) = user else { return Ok(()) };
    chown(path, Some(user.uid), Some(user.gid))?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            own_tree(&entry?.path(), Some(user))?;
        }
    }
    Ok(())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
