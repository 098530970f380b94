//! The settings by which an orchestrator judges instances: thresholds, leases, the brake, and how long
//! it leads without the database.
//!
//! Each member writes them into its row, so the leader sees whether a take-over would change verdicts.
//! They are few and short, so the values are written themselves: a hash would say that something differs,
//! and not what.

use std::collections::BTreeMap;
use std::fmt;

/// Names and values, as the settings table spells them. Values have no line breaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JudgingSettings(BTreeMap<String, String>);

/// One setting with two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingDifference {
    /// Its name.
    pub name: String,
    /// The value here; `None` if the release has no such setting.
    pub ours: Option<String>,
    /// The value there.
    pub theirs: Option<String>,
}

impl fmt::Display for SettingDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let (ours, theirs) = (shown(&self.ours), shown(&self.theirs));
        write!(f, "{} is {theirs} there and {ours} here", self.name)
    }
}

impl JudgingSettings {
    /// These settings.
    pub fn new<'n>(settings: impl IntoIterator<Item = (&'n str, String)>) -> Self {
        let settings = settings.into_iter();
        Self(
            settings
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// Reads what [`JudgingSettings::to_text`] wrote. A line of another form is passed over.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        Self::new(lines.map(|(name, value)| (name, value.to_owned())))
    }

    /// One line a setting.
    pub fn to_text(&self) -> String {
        let lines = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What differs, by name. A member of a release that writes no settings differs in nothing.
    pub fn differences(&self, theirs: &Self) -> Vec<SettingDifference> {
        if self.0.is_empty() || theirs.0.is_empty() {
            return Vec::new();
        }
        let mut names: Vec<&String> = self.0.keys().chain(theirs.0.keys()).collect();
        names.sort();
        names.dedup();
        let both = names.into_iter().map(|name| SettingDifference {
            name: name.clone(),
            ours: self.0.get(name).cloned(),
            theirs: theirs.0.get(name).cloned(),
        });
        both.filter(|found| found.ours != found.theirs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> JudgingSettings {
        JudgingSettings::parse(text)
    }

    #[test]
    fn settings_are_read_as_they_were_written() {
        let written = JudgingSettings::new([
            ("HEARTBEAT_TIMEOUT", "5m".to_owned()),
            ("LEASE_MARGIN", "30s".to_owned()),
        ]);
        assert_eq!(written.to_text(), "HEARTBEAT_TIMEOUT=5m\nLEASE_MARGIN=30s");
        assert_eq!(settings(&written.to_text()), written);
        assert_eq!(settings("nonsense"), JudgingSettings::default());
    }

    #[test]
    fn a_difference_names_the_setting_and_both_values() {
        let found = settings("A=1\nB=2\nC=3").differences(&settings("A=1\nB=5\nD=4"));
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        let expected = [
            "B is 5 there and 2 here",
            "C is none there and 3 here",
            "D is 4 there and none here",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_member_that_writes_no_settings_differs_in_nothing() {
        assert_eq!(settings("A=1").differences(&settings("")), []);
        assert_eq!(settings("").differences(&settings("A=1")), []);
        assert_eq!(settings("A=1").differences(&settings("A=1")), []);
    }
}
