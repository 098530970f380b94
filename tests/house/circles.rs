//! Everything points down: no file imports, by whatever detour, one that imports it.
//!
//! The nodes are files; a second look takes folders as nodes. An import names the file that
//! answers for it: `super::pipeline::Applied` is the file `pipeline.rs`, and `super::Applied` is
//! the front file of the room, which re-exports it. So inside a room a file imports from its
//! neighbour, never from the front file.
#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::sources::{code, root, sources};

/// A module: its path below the root of its package, as `["fleet", "draft"]`.
type Module = Vec<String>;

/// Who imports whom.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// The packages, each with the folder of its sources.
const PACKAGES: [&str; 3] = ["crates/domain/src", "crates/client/src", "src"];

fn module(package: &str, file: &Path) -> Module {
    let below = file.strip_prefix(root().join(package)).unwrap();
    let mut names: Module = below
        .with_extension("")
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if names
        .last()
        .is_some_and(|name| name == "mod" || name == "lib")
    {
        names.pop();
    }
    names
}

/// Tests may look at everything around them.
fn is_test(module: &Module) -> bool {
    module.iter().any(|name| name == "tests")
}

/// The code of a file on one line, up to the tests within it.
fn flattened(text: &str) -> String {
    let lines: Vec<String> = code(text).map(|(_, line)| line).collect();
    let text = lines.join("\n");
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    without_scopes(&text[..end].replace('\n', " "))
}

/// The code without the scopes of its visibilities: `pub(in crate::store)` imports nothing.
fn without_scopes(text: &str) -> String {
    let mut parts = text.split("pub(in ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| {
        let after = part.split_once(')').map_or("", |(_, after)| after);
        before + "pub " + after
    })
}

/// The paths below a `use`, its braces multiplied out.
fn expand(tree: &str, before: &str, paths: &mut Vec<String>) {
    let mut depth = 0_u32;
    let mut part = String::new();
    for c in tree.chars().chain([',']) {
        match c {
            ',' if depth == 0 => {
                if let Some((stem, inner)) = part.trim().split_once('{') {
                    let inner = inner.trim_end();
                    let inner = inner.strip_suffix('}').unwrap_or(inner);
                    expand(inner, &format!("{before}{}", stem.trim()), paths);
                } else if !part.trim().is_empty() {
                    paths.push(format!("{before}{}", part.trim()));
                }
                part.clear();
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        part.push(c);
    }
}

/// Every path a file names: in its imports, and in the middle of its code.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices("use ") {
        let before = text[..start].chars().next_back();
        if before.is_none_or(|c| c == ' ' || c == ';' || c == '}') {
            let tree = text[start + 4..].split(';').next().unwrap_or_default();
            expand(tree, "", &mut found);
        }
    }
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    found.extend(
        text.split(|c| !is_path(c))
            .filter(|path| path.starts_with("crate::") || path.starts_with("super::"))
            // Braces follow: an import, which is multiplied out above.
            .filter(|path| !path.ends_with("::"))
            .map(str::to_owned),
    );
    found
}

/// The file a path leads to; none: it leads out of the package.
fn target(path: &str, from: &Module, known: &BTreeSet<Module>) -> Option<Module> {
    let mut names: Vec<&str> = path.split("::").map(str::trim).collect();
    let mut base = from.clone();
    match *names.first()? {
        "crate" => {
            base.clear();
            names.remove(0);
        }
        "super" => {
            while names.first() == Some(&"super") {
                base.pop();
                names.remove(0);
            }
        }
        "self" => {
            names.remove(0);
        }
        child => {
            let mut below = from.clone();
            below.push(child.to_owned());
            known.get(&below)?;
        }
    }
    base.extend(names.into_iter().map(str::to_owned));
    while !known.contains(&base) {
        base.pop()?;
    }
    Some(base)
}

fn imports(package: &str) -> Imports {
    let files: Vec<(Module, String)> = sources(package)
        .into_iter()
        .map(|(path, text)| (module(package, &path), text))
        .filter(|(module, _)| !is_test(module) && module.as_slice() != ["main"])
        .collect();
    let known: BTreeSet<Module> = files.iter().map(|(module, _)| module.clone()).collect();
    let of = |(module, text): (Module, String)| {
        let targets = paths(&flattened(&text))
            .iter()
            .filter_map(|path| target(path, &module, &known))
            .filter(|target| *target != module)
            .collect();
        (module, targets)
    };
    files.into_iter().map(of).collect()
}

/// The same for folders: those directly below the root, or below `within`.
fn folders(files: &Imports, depth: usize) -> Imports {
    let room = |module: &Module| -> Module { module.iter().take(depth).cloned().collect() };
    let mut rooms = Imports::new();
    for (file, targets) in files.iter().filter(|(file, _)| file.len() >= depth) {
        let from = room(file);
        let others = targets
            .iter()
            .filter(|target| target.len() >= depth)
            .map(room)
            .filter(|target| *target != from);
        rooms.entry(from.clone()).or_default().extend(others);
    }
    rooms
}

/// A circle, if there is one: who imports whom, back to the first.
fn circle(imports: &Imports) -> Option<String> {
    let mut finished = BTreeSet::new();
    for start in imports.keys() {
        let mut way = Vec::new();
        if let Some(circle) = walk(start, imports, &mut way, &mut finished) {
            return Some(circle);
        }
    }
    None
}

fn walk<'a>(
    module: &'a Module,
    imports: &'a Imports,
    way: &mut Vec<&'a Module>,
    finished: &mut BTreeSet<&'a Module>,
) -> Option<String> {
    if let Some(first) = way.iter().position(|other| *other == module) {
        let names: Vec<String> = way[first..]
            .iter()
            .chain([&module])
            .map(|module| module.join("/"))
            .collect();
        return Some(names.join(" -> "));
    }
    if finished.contains(module) {
        return None;
    }
    way.push(module);
    for next in imports.get(module).into_iter().flatten() {
        if let Some(circle) = walk(next, imports, way, finished) {
            return Some(circle);
        }
    }
    way.pop();
    finished.insert(module);
    None
}

#[test]
fn no_file_imports_one_that_imports_it() {
    for package in PACKAGES {
        if let Some(circle) = circle(&imports(package)) {
            panic!("{package}: files import each other in a circle: {circle}");
        }
    }
}

#[test]
fn no_folder_imports_one_that_imports_it() {
    for package in PACKAGES {
        let files = imports(package);
        for depth in 1..=2 {
            if let Some(circle) = circle(&folders(&files, depth)) {
                panic!("{package}: folders import each other in a circle: {circle}");
            }
        }
    }
}

/// The files below one folder of a package that holds others too.
fn below(imports: Imports, folder: &str) -> Imports {
    let is_below = |module: &Module| module.first().is_some_and(|name| name == folder);
    let files = imports.into_iter().filter(|(module, _)| is_below(module));
    files
        .map(|(module, targets)| (module, targets.into_iter().filter(is_below).collect()))
        .collect()
}

#[test]
fn no_actor_imports_one_that_imports_it() {
    let files = below(imports("src"), "actors");
    assert!(files.len() > 60, "{}", files.len());
    if let Some(circle) = circle(&files) {
        panic!("src/actors: files import each other in a circle: {circle}");
    }
    if let Some(circle) = circle(&folders(&files, 2)) {
        panic!("src/actors: folders import each other in a circle: {circle}");
    }
}

#[test]
fn an_import_added_to_a_low_actor_is_a_circle() {
    let mut files = below(imports("src"), "actors");
    let room = |name: &str| -> Module { vec!["actors".to_owned(), name.to_owned()] };
    let known = files.keys().cloned().collect();
    let registry = room("registry");
    let added = target("super::supervisor::Supervisor", &registry, &known).unwrap();
    assert_eq!(added, room("supervisor"));
    files.get_mut(&registry).unwrap().insert(added);
    let found = circle(&files).expect("a circle");
    assert!(
        found.contains("actors/registry -> actors/supervisor"),
        "{found}"
    );
}

#[test]
fn a_front_file_of_the_shell_only_declares_and_re_exports() {
    for folder in ["src/store", "src/config", "src/cli", "src/app"] {
        for (path, text) in sources(folder) {
            let code = flattened(&text).replace("#[cfg(test)] mod tests;", "");
            let has_rooms = code.split(';').any(|item| item.trim().starts_with("mod "));
            if path.ends_with("mod.rs") && has_rooms {
                let others: Vec<&str> = code
                    .split(';')
                    .map(|item| item.trim().trim_start_matches("#[cfg(test)]").trim())
                    .filter(|item| {
                        let bare = item.trim_start_matches("pub ");
                        let bare = bare.trim_start_matches("pub(super) ");
                        !(item.is_empty() || bare.starts_with("mod ") || bare.starts_with("use "))
                    })
                    .collect();
                assert!(
                    others.is_empty(),
                    "{}: what a front file defines, its own files import from it, and it from \
                     them: {others:?}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn an_import_between_the_rooms_of_the_shell_is_a_circle_if_it_points_up() {
    let files = imports("src");
    let known: BTreeSet<Module> = files.keys().cloned().collect();
    for (below, added, expected) in [
        (vec!["store", "error"], "use super::open;", "store/error"),
        (
            vec!["config", "origin"],
            "use super::sources::Sources;",
            "config/origin",
        ),
        (
            vec!["cli", "exit"],
            "use crate::cli::dispatch::main;",
            "cli/exit",
        ),
        (
            vec!["http", "problem"],
            "use super::workers;",
            "http/problem",
        ),
        (
            vec!["http", "retry"],
            "use crate::app::Server;",
            "http/retry",
        ),
    ] {
        let below: Module = below.into_iter().map(str::to_owned).collect();
        let mut files = files.clone();
        let targets = paths(added);
        let targets = targets
            .iter()
            .filter_map(|path| target(path, &below, &known));
        files.get_mut(&below).unwrap().extend(targets);
        let found = circle(&files).expect("a circle");
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn the_scope_of_a_visibility_is_no_import() {
    let text = "pub(in crate::store) fn a(b: crate::clock::Clock) {}";
    assert_eq!(paths(&without_scopes(text)), ["crate::clock::Clock"]);
}

#[test]
fn an_import_added_upwards_is_a_circle() {
    let mut files = imports("crates/domain/src");
    assert_eq!(circle(&files), None);
    let below: Module = vec!["fleet".to_owned(), "draft".to_owned()];
    let above: Module = vec!["ledger".to_owned()];
    assert!(files[&above].contains(&vec!["fleet".to_owned()]));
    let added = "use crate::{ids::Epoch, ledger::{Batch, Ledger as Book}};";
    let known = files.keys().cloned().collect();
    let targets = paths(added);
    let targets = targets
        .iter()
        .filter_map(|path| target(path, &below, &known));
    files.get_mut(&below).unwrap().extend(targets);
    let found = circle(&files).expect("a circle");
    assert!(found.contains("fleet/draft -> ledger"), "{found}");
}
