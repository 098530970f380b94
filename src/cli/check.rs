//! The output of `config check`.

use crate::config::{Group, Loaded, settings};

/// Returns every setting with its value and origin, in aligned columns, then the warnings.
pub(super) fn report(loaded: &Loaded) -> String {
    let width = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or_default();
    let names = width(&mut loaded.effective.iter().map(|value| value.name.len()));
    let values = width(
        &mut loaded
            .effective
            .iter()
            .map(|value| value.shown.chars().count()),
    );

    let mut text = String::from("The configuration is valid.\n");
    if let Some(path) = &loaded.dotenv_path {
        text.push_str(&format!("Read {}\n", path.display()));
    }
    let mut group: Option<Group> = None;
    for (setting, value) in settings().iter().zip(&loaded.effective) {
        if group != Some(setting.group) {
            text.push_str(&format!("\n{}\n", setting.group.title()));
            group = Some(setting.group);
        }
        let origin = value.origin.describe(value.name);
        text.push_str(&format!(
            "  {:names$}  {:values$}  {origin}\n",
            value.name, value.shown
        ));
    }
    if !loaded.warnings.is_empty() {
        text.push_str("\nWarnings\n");
        for warning in &loaded.warnings {
            text.push_str(&format!("  {warning}\n"));
        }
    }
    text
}
