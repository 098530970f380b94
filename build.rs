//! Migrations are compiled in: a new file must lead to a new build. The statements of the store are
//! written once, for an asynchronous connection; here they become those of a blocking one. What
//! `orchestrator version` says of the build is found here, and nothing of it is needed to build.

use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

/// Every statement, as ordinary asynchronous Rust.
const STATEMENTS: [&str; 4] = ["operations", "leading", "notifying", "keeping_keys"];

#[expect(
    clippy::disallowed_methods,
    reason = "cargo names the folder of what is generated in the environment"
)]
fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=migrations");
    let folder = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    for name in STATEMENTS {
        let source = format!("src/store/postgres/{name}.rs");
        println!("cargo:rerun-if-changed={source}");
        let blocking = blocking(&fs::read_to_string(source)?);
        fs::write(
            Path::new(&folder).join(format!("blocking_{name}.rs")),
            blocking,
        )?;
    }
    describe_build();
    Ok(())
}

/// Passes the revision, the compiler and the target on to the program.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo names the build in the environment"
)]
fn describe_build() {
    let variable = |name| env::var(name).unwrap_or_default();
    println!("cargo:rerun-if-env-changed=SOURCE_REVISION");
    let (given, profile) = (variable("SOURCE_REVISION"), variable("PROFILE"));
    // An archive of the source has no repository: a packager names the revision. A debug build names
    // none, so that a commit does not lead to a new build.
    let revision = match (given.is_empty(), profile.as_str()) {
        (false, _) => given,
        (true, "release") => revision().unwrap_or_default(),
        (true, _) => String::new(),
    };
    let rustc = Command::new(variable("RUSTC")).arg("--version").output();
    let rustc = rustc.map(|output| first_line(&output.stdout));
    for (name, value) in [
        ("REVISION", revision),
        ("RUSTC", rustc.unwrap_or_default()),
        ("TARGET", variable("TARGET")),
        ("PROFILE", profile),
    ] {
        println!("cargo:rustc-env=ORCHESTRATOR_BUILD_{name}={}", value.trim());
    }
}

/// Returns the commit that is built, marked if files differ from it; `None` outside a repository, or
/// without git.
fn revision() -> Option<String> {
    // A folder within a foreign repository would name that one's commit.
    let inside = git(&["rev-parse", "--show-prefix"])?;
    if !inside.is_empty() {
        return None;
    }
    for path in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", path])?;
        // A path that is not there would lead to a new build each time.
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    for path in ["src", "crates", "Cargo.toml", "Cargo.lock", "build.rs"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(match changes.is_empty() {
        true => commit,
        false => commit + "+changes",
    })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = first_line(&output.stdout);
    output.status.success().then_some(text)
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().next().unwrap_or_default().to_owned()
}

fn blocking(text: &str) -> String {
    // An empty line for each of the head: errors then have the same numbers in both.
    let lines = text.lines().map(|line| match line.starts_with("//!") {
        true => "",
        false => line,
    });
    let blocking: Vec<String> = lines
        .map(|line| line.replace("async fn ", "fn ").replace(".await", ""))
        .collect();
    blocking.join("\n")
}
