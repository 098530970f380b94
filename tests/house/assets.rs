//! The files of others that are part of the program are those that their page names.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::sources::root;

/// The files of this project in that folder.
const OWN: [&str; 3] = ["README.md", "index.html", "start.js"];

fn sum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_vendored_file_has_the_sum_that_its_page_names() {
    let folder = root().join("assets/swagger-ui");
    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut listed = BTreeSet::new();
    for row in page.lines().filter(|row| row.starts_with("| `")) {
        let cells: Vec<&str> = row
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let (name, stored, original) = (cells[1], cells[2], cells[3]);
        let path = folder.join(name);
        assert_eq!(sum(&fs::read(&path).unwrap()), stored, "{name}");
        assert_eq!(original.is_empty(), !name.ends_with(".gz"), "{name}");
        if !original.is_empty() {
            let output = Command::new("gzip")
                .args(["-d", "-c"])
                .arg(&path)
                .output()
                .unwrap();
            assert!(output.status.success(), "{name} is no gzip");
            assert_eq!(
                sum(&output.stdout),
                original,
                "what is compressed in {name}"
            );
        }
        listed.insert(name.to_owned());
    }
    let there: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !OWN.contains(&name.as_str()))
        .collect();
    assert_eq!(listed, there, "each file has its row");
    for needed in ["swagger-ui-dist", "5.35.0", "Apache-2.0"] {
        assert!(page.contains(needed), "{needed}");
    }
}
