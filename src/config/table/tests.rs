//! The list is complete and its names are one.

use super::*;

#[test]
fn names_are_unique_and_groups_are_together() {
    for (index, setting) in settings().iter().enumerate() {
        assert!(
            settings()[..index]
                .iter()
                .all(|earlier| earlier.name != setting.name),
            "{} is listed twice",
            setting.name
        );
        let flag = setting.name.to_ascii_lowercase().replace('_', "-");
        assert_eq!(setting.flag, flag, "flag and variable are one name");
    }
    assert!(
        settings().is_sorted_by_key(|setting| setting.group),
        "a group that is split would be printed under two headings"
    );
}

#[test]
fn derived_settings_name_their_source_in_the_formula() {
    for setting in settings() {
        if let Derived { from, formula, .. } = setting.default {
            assert!(
                find(from).is_some(),
                "{}: {from} is no setting",
                setting.name
            );
            assert!(formula.ends_with(from), "{}: {formula}", setting.name);
        }
    }
}

#[test]
fn what_a_reload_applies_is_a_setting() {
    for name in RELOADABLE {
        assert!(find(name).is_some_and(Setting::is_reloadable), "{name}");
    }
    assert!(find("DATABASE_URL").is_some_and(|setting| !setting.is_reloadable()));
}
