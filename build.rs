//! Migrations are compiled in: a new file must lead to a new build. The statements of the store are
//! written once, for an asynchronous connection; here they become those of a blocking one. What
//! `orchestrator version` says of the build is found here, and nothing of it is needed to build. The files of
//! the console are compressed here, once for all who read them.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

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
    pack_console(Path::new("web"), Path::new(&folder))?;
    describe_build();
    Ok(())
}

/// The word in `index.html` that stands for the name of the set.
const SET: &str = "__SET__";

/// Packs the files of the console: each compressed, all under one name that is made of their content, so
/// that browsers may keep them and never mix two versions.
fn pack_console(web: &Path, folder: &Path) -> io::Result<()> {
    println!("cargo:rerun-if-changed={}", web.display());
    let mut files = Vec::new();
    let mut all = Sha256::new();
    let mut paths = fs::read_dir(web)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        println!("cargo:rerun-if-changed={}", path.display());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let content_type = match path.extension().and_then(|extension| extension.to_str()) {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => continue,
        };
        let content = fs::read(&path)?;
        all.update(name.as_bytes());
        all.update([0]);
        all.update((content.len() as u64).to_le_bytes());
        all.update(&content);
        files.push((name.into_owned(), content_type, content));
    }
    let sum = all.finalize();
    let set: String = sum
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let packed = folder.join("console");
    fs::create_dir_all(&packed)?;
    let mut table = format!("/// The name of the set.\npub(super) const SET: &str = {set:?};\n\n");
    table.push_str("/// Its files.\npub(super) static STORED: &[Stored] = &[\n");
    for (name, content_type, content) in files {
        if name == "index.html" {
            let text = String::from_utf8_lossy(&content).replace(SET, &set);
            fs::write(packed.join(&name), text)?;
            continue;
        }
        // Neither a time nor a system: the same files give the same bytes.
        let mut gzip = GzBuilder::new()
            .operating_system(255)
            .write(Vec::new(), Compression::best());
        gzip.write_all(&content)?;
        let stored = packed.join(format!("{name}.gz"));
        fs::write(&stored, gzip.finish()?)?;
        table.push_str(&format!(
            "    Stored {{\n        name: {name:?},\n        content_type: {content_type:?},\n        \
             gzip: include_bytes!({:?}),\n    }},\n",
            stored.display().to_string()
        ));
    }
    table.push_str("];\n");
    fs::write(folder.join("console_files.rs"), table)
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
    for path in [
        "src",
        "crates",
        "web",
        "Cargo.toml",
        "Cargo.lock",
        "build.rs",
    ] {
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
