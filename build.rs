//! Migrations are compiled in: a new file must lead to a new build. The statements of the store are
//! written once, for an asynchronous connection; here they become those of a blocking one.

use std::path::Path;
use std::{env, fs, io};

/// Every statement, as ordinary asynchronous Rust.
const STATEMENTS: [&str; 2] = ["operations", "leading"];

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
    Ok(())
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
