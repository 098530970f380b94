//! The files of `deploy/`: they are well formed, name settings that there are, and lack no file.
#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sources::root;
use crate::support::process::command;
use tempfile::tempdir;
use yaml_rust2::{Yaml, YamlLoader};

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below a folder of the project.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

fn documents(path: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn files_in_yaml_can_be_read() {
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yml");
    let paths: Vec<PathBuf> = files(&root().join("deploy"))
        .into_iter()
        .filter(is_yaml)
        .collect();
    assert!(paths.len() >= 7, "{paths:?}");
    for path in paths {
        let shown = path.strip_prefix(root()).unwrap().to_str().unwrap();
        assert!(!documents(shown).is_empty(), "{shown} is empty");
    }
}

/// The variables that a deployment gives to the program, with their values.
type Variables = BTreeMap<String, String>;

/// Runs `config check` with variables; returns what it prints.
fn check(place: &str, variables: &Variables) -> String {
    let folder = tempdir().unwrap();
    let mut command = command(folder.path(), &[]);
    command
        .arg("config")
        .arg("check")
        .env_remove("BIND_ADDRESS");
    let output = command
        .envs(variables)
        .stdout(std::process::Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{place}: {said}");
    said
}

/// Each variable is a setting, and its value is one that the program takes.
fn assert_settings(place: &str, variables: &Variables) {
    assert!(!variables.is_empty(), "{place} sets nothing");
    let known = resilient_orchestrator::config::settings();
    for name in variables.keys() {
        assert!(
            known.iter().any(|setting| setting.name == name),
            "{place} sets {name}, which is no setting"
        );
    }
    let said = check(place, variables);
    let warnings = said.split("\nWarnings\n").nth(1).unwrap_or_default();
    let warnings = warnings.lines().map(str::trim);
    // The operator adds TLS, or the address of the proxy that speaks it.
    let others: Vec<&str> = warnings
        .filter(|line| !line.is_empty() && !line.contains("TLS_CERT is not set"))
        .collect();
    assert!(others.is_empty(), "{place}: {others:?} in {said}");
}

#[test]
fn the_settings_of_the_service_are_valid() {
    let place = "deploy/systemd/orchestrator.env";
    let text = text(place);
    let lines = text.lines().map(|line| line.trim_start_matches('#'));
    let is_name = |name: &str| {
        let is_letter = |c: char| c.is_ascii_uppercase() || c == '_';
        !name.is_empty() && name.chars().all(is_letter)
    };
    // Those that are commented out are examples, and are checked like the others.
    let variables = lines
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| is_name(name))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()));
    assert_settings(place, &variables.collect());
}

#[test]
fn the_settings_of_the_image_are_valid() {
    let place = "deploy/container/Dockerfile";
    let text = text(place).replace("\\\n", " ");
    let lines = text.lines().filter_map(|line| line.strip_prefix("ENV "));
    let pairs = lines.flat_map(str::split_whitespace);
    let variables = pairs
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_settings(place, &variables.collect());
    let user = text.lines().find_map(|line| line.strip_prefix("USER "));
    let user = user.unwrap().split(':').next().unwrap();
    assert!(user.parse::<u32>().is_ok_and(|user| user > 0), "{user}");
}

/// The variables of a mapping, those of merged mappings too.
fn of_mapping(mapping: &Yaml) -> Variables {
    let mut variables = Variables::new();
    for (name, value) in mapping.as_hash().unwrap() {
        match name.as_str().unwrap() {
            "<<" => variables.extend(of_mapping(value)),
            name => {
                variables.insert(name.to_owned(), value.as_str().unwrap().to_owned());
            }
        }
    }
    variables
}

#[test]
fn the_settings_of_the_compose_file_are_valid() {
    let place = "deploy/container/compose.yml";
    let file = documents(place).remove(0);
    for service in ["orchestrator-1", "orchestrator-2"] {
        let variables = of_mapping(&file["services"][service]["environment"]);
        assert_eq!(variables["CLUSTER_NODE"], service);
        assert_settings(&format!("{place}: {service}"), &variables);
    }
    // What it mounts is there.
    let services = file["services"].as_hash().unwrap();
    for service in services.values() {
        for volume in service["volumes"].as_vec().into_iter().flatten() {
            let from = volume.as_str().unwrap().split(':').next().unwrap();
            let path = root().join("deploy/container").join(from);
            assert!(!from.starts_with('.') || path.exists(), "{from}");
        }
    }
}

#[test]
fn the_settings_of_the_manifest_are_valid() {
    let place = "deploy/kubernetes/orchestrator.yml";
    let documents = documents(place);
    let set = documents
        .iter()
        .find(|document| document["kind"].as_str() == Some("StatefulSet"));
    let pod = &set.unwrap()["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let mut variables = Variables::new();
    for entry in container["env"].as_vec().unwrap() {
        // Kubernetes fills a name in.
        let value = match entry["value"].as_str() {
            Some(value) => value.replace("$(CLUSTER_NODE)", "orchestrator-0"),
            None => {
                let field = &entry["valueFrom"]["fieldRef"]["fieldPath"];
                assert_eq!(field.as_str(), Some("metadata.name"));
                "orchestrator-0".to_owned()
            }
        };
        variables.insert(entry["name"].as_str().unwrap().to_owned(), value);
    }
    let database = "postgres://user@database/fleet".to_owned();
    variables.insert("DATABASE_URL".to_owned(), database);
    assert_settings(place, &variables);
    let routes = resilient_orchestrator::http::route_table();
    for probe in ["livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().unwrap();
        assert!(routes.iter().any(|route| route.path == path), "{path}");
    }
    assert_eq!(pod["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
    let security = &container["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"].as_bool(), Some(true));
}

#[test]
fn the_manifest_names_a_registry_and_a_release_and_pulls_it_once() {
    let text = text("deploy/kubernetes/orchestrator.yml");
    let images = text.lines().filter_map(|line| {
        let line = line.trim_start().trim_start_matches("- ");
        line.strip_prefix("image: ")
    });
    let images: Vec<&str> = images.collect();
    assert!(!images.is_empty());
    for image in images {
        let (place, tag) = image.rsplit_once(':').unwrap_or((image, ""));
        assert!(place.contains('/') && !tag.is_empty(), "{image}");
        assert_ne!(tag, "latest");
        assert_eq!(tag, env!("CARGO_PKG_VERSION"));
    }
    assert!(text.contains("imagePullPolicy: IfNotPresent"));
}

#[test]
fn the_image_is_built_by_the_compiler_that_it_names() {
    let ignored = text(".dockerignore");
    let is_copied = |name: &str| ignored.lines().any(|line| line == format!("!{name}"));
    assert!(is_copied("Cargo.lock"));
    assert!(!is_copied("rust-toolchain.toml"), "rustup would fetch it");
}

#[test]
fn a_service_without_its_settings_is_not_started() {
    let links = text("deploy/systemd/orchestrator.tmpfiles.conf");
    let link = links.lines().find_map(|line| line.strip_prefix("L "));
    let mut link = link.unwrap().split(' ').filter(|part| *part != "-");
    let (path, settings) = (link.next().unwrap(), link.next().unwrap());
    let unit = text("deploy/systemd/orchestrator.service");
    let asserted = format!("AssertPathExists={path}");
    assert!(unit.lines().any(|line| line == asserted), "{asserted}");
    let installed = settings.strip_prefix('/').unwrap();
    assert!(assets().iter().any(|(_, to)| to == installed), "{settings}");
    let script = text("deploy/debian/postinst");
    let made = "systemd-tmpfiles --create orchestrator.conf";
    assert!(script.lines().any(|line| line.trim() == made), "{script}");
}

#[test]
fn the_unit_is_one_that_systemd_understands() {
    let folder = tempdir().unwrap();
    // The program and its man page are not installed where the tests run.
    let unit = text("deploy/systemd/orchestrator.service")
        .replace("/usr/bin/orchestrator", "/bin/true")
        .replace("Documentation=man:orchestrator(1)\n", "");
    let path = folder.path().join("orchestrator.service");
    fs::write(&path, unit).unwrap();
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&path)
        .output();
    let output = verified.expect("systemd-analyze of the package systemd; ./test installs it");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    // It ends with 0 also if it does not know a key.
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}

/// The files of the Debian package: where each is now, and where it goes.
fn assets() -> Vec<(String, String)> {
    let manifest = text("Cargo.toml");
    let metadata = manifest.split("[package.metadata.deb]").nth(1).unwrap();
    let assets = metadata.split("assets = [\n").nth(1).unwrap();
    let assets = assets.split("\n]").next().unwrap();
    assets
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split('"').collect();
            (parts[1].to_owned(), parts[3].to_owned())
        })
        .collect()
}

#[test]
fn each_file_of_the_package_is_there_or_made_by_its_script() {
    let script = text("deploy/debian/build");
    let assets = assets();
    assert!(assets.len() > 10, "{assets:?}");
    for (from, to) in &assets {
        let is_made = match from.as_str() {
            "target/release/orchestrator" => script.contains("cargo build --release"),
            "target/deb/man/*.1.gz" => script.contains("man \"$made/man\""),
            from => match from.strip_prefix("target/deb/") {
                Some(made) => script.contains(&format!(">\"$made/{made}\"")),
                None => match from.split_once("/*") {
                    Some((folder, ending)) => {
                        fs::read_dir(root().join(folder)).is_ok_and(|mut files| {
                            files.any(|file| {
                                file.unwrap().path().to_string_lossy().ends_with(ending)
                            })
                        })
                    }
                    None => root().join(from).exists(),
                },
            },
        };
        assert!(is_made, "{from} for {to}");
    }
    // The commands of the script, on this build.
    let folder = tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = command(folder.path(), &[]);
        let command = command.args(arguments).stdout(std::process::Stdio::piped());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        output.stdout
    };
    run(&["man", "man"]);
    assert!(folder.path().join("man/orchestrator.1").exists());
    for shell in ["bash", "zsh", "fish"] {
        assert!(!run(&["completions", shell]).is_empty(), "{shell}");
        assert!(script.contains(&format!("completions {shell}")), "{shell}");
    }
}

#[test]
fn service_user_and_directories_fit_together() {
    let unit = text("deploy/systemd/orchestrator.service");
    let users = text("deploy/systemd/orchestrator.sysusers.conf");
    let directories = text("deploy/systemd/orchestrator.tmpfiles.conf");
    assert!(unit.contains("\nUser=orchestrator\n") && unit.contains("\nGroup=orchestrator\n"));
    assert!(users.contains("\nu orchestrator "), "{users}");
    let home = "/var/lib/orchestrator";
    assert!(unit.contains(&format!("\nWorkingDirectory={home}\n")));
    assert!(
        directories.contains(&format!("\nd {home} ")),
        "{directories}"
    );
    let settings = "/etc/orchestrator/orchestrator.env";
    assert!(
        directories.contains(&format!("L {home}/.env - - - - {settings}")),
        "{directories}"
    );
    assert!(assets().iter().any(|(_, to)| format!("/{to}") == settings));
}
