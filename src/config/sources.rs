//! The sources of values, in order of precedence: flags, then the environment, then `.env`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::dotenv::{self, DotEnv};
use super::origin::Origin;
use super::problem::{Problem, Warning};

/// Values by name, in layers: the first layer that has one decides.
#[derive(Debug, Default)]
pub(super) struct Sources {
    layers: Vec<(Origin, BTreeMap<String, OsString>)>,
    /// The `.env` that was read.
    pub(super) dotenv_path: Option<PathBuf>,
    /// The faults of the sources themselves.
    pub(super) problems: Vec<Problem>,
    /// Entries of the sources that may be mistakes.
    pub(super) warnings: Vec<Warning>,
}

impl Sources {
    /// Reads the real sources: `flags` by setting name, the process's environment, and the `.env`
    /// of the working directory or the nearest one above it.
    pub(super) fn of_process(flags: BTreeMap<String, OsString>) -> Self {
        // Names that are no Unicode are no setting; values may be, and are refused later.
        let environment: BTreeMap<String, OsString> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect();
        let DotEnv {
            path,
            values,
            problems,
            warnings,
        } = dotenv::read(|name| Some(environment.get(name)?.to_str()?.to_owned()));
        let values = values.into_iter().map(|(name, value)| (name, value.into()));
        Self {
            layers: vec![
                (Origin::Flag, flags),
                (Origin::Environment, environment),
                (Origin::DotEnv, values.collect()),
            ],
            dotenv_path: path,
            problems,
            warnings,
        }
    }

    /// Uses only the listed pairs: no environment, no file.
    pub(super) fn of_program<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let values = pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()));
        Self {
            layers: vec![(Origin::Program, values.collect())],
            ..Self::default()
        }
    }

    /// Returns the value that counts. An empty variable counts as unset, so that `NAME= program`
    /// undoes an exported one; an empty flag is a mistake, and is left for the reader to refuse.
    pub(super) fn get(&self, name: &str) -> Option<(Origin, &OsStr)> {
        self.layers.iter().find_map(|(origin, values)| {
            let value = values.get(name)?;
            (*origin == Origin::Flag || !is_empty(value)).then_some((*origin, value.as_os_str()))
        })
    }

    /// Returns every variable that is set and not empty, without flags: an unknown flag is refused
    /// before.
    pub(super) fn variables(&self) -> impl Iterator<Item = (Origin, &str)> {
        let layers = self
            .layers
            .iter()
            .filter(|(origin, _)| *origin != Origin::Flag);
        layers.flat_map(|(origin, values)| {
            let set = values.iter().filter(|(_, value)| !is_empty(value));
            set.map(|(name, _)| (*origin, name.as_str()))
        })
    }
}

fn is_empty(value: &OsStr) -> bool {
    value.to_str().is_some_and(|value| value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(layers: &[(Origin, &[(&str, &str)])]) -> Sources {
        let values = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.into()))
                .collect()
        };
        let layers = layers
            .iter()
            .map(|(origin, pairs)| (*origin, values(pairs)))
            .collect();
        Sources {
            layers,
            ..Sources::default()
        }
    }

    #[test]
    fn the_first_layer_with_a_value_decides() {
        let sources = layers(&[
            (Origin::Flag, &[("A", "flag")]),
            (
                Origin::Environment,
                &[("A", "env"), ("B", "env"), ("C", " ")],
            ),
            (
                Origin::DotEnv,
                &[("A", "file"), ("B", "file"), ("C", "file")],
            ),
        ]);
        assert_eq!(sources.get("A"), Some((Origin::Flag, OsStr::new("flag"))));
        assert_eq!(
            sources.get("B"),
            Some((Origin::Environment, OsStr::new("env")))
        );
        assert_eq!(sources.get("C"), Some((Origin::DotEnv, OsStr::new("file"))));
        assert_eq!(sources.get("D"), None);
        assert_eq!(
            sources.variables().filter(|(_, name)| *name == "C").count(),
            1
        );
    }

    #[test]
    fn an_empty_flag_is_not_skipped() {
        let sources = layers(&[
            (Origin::Flag, &[("A", "")]),
            (Origin::Environment, &[("A", "env")]),
        ]);
        assert_eq!(sources.get("A"), Some((Origin::Flag, OsStr::new(""))));
    }
}
