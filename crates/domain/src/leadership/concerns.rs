//! What the leader reports about the other orchestrators, as alerts.
//!
//! | alert | opens | closes |
//! | --- | --- | --- |
//! | `member_away` | its row has not changed for long | it changes again, or the row is gone |
//! | `settings_differ` | it writes other values of the settings that judge | the values are the same, or it is away |
//! | `releases_differ` | it has run another release than the leader for [`UPGRADE_TIME`] | the releases are the same, or it is away |
//!
//! A standby raises none: alerts are the leader's, and all three are about what a take-over would bring.

use std::collections::BTreeMap;
use std::time::Duration;

use super::judging::JudgingSettings;
use super::members::{MemberStanding, SeenMember};
use super::row::NodeName;
use crate::alert::{AlertKind, News};

/// For how long orchestrators may run different releases without an alert: an upgrade takes a while.
pub const UPGRADE_TIME: Duration = Duration::from_secs(600);

/// What the leader compares the others with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LeaderFacts {
    pub release: String,
    pub settings: JudgingSettings,
}

/// The alerts about members that are open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberConcerns {
    /// The sentence of each.
    open: BTreeMap<NodeName, Vec<(AlertKind, String)>>,
    /// Since when a member has run another release.
    other_release_since: BTreeMap<NodeName, Duration>,
}

impl MemberConcerns {
    /// The members were seen like this; returns what changes in the book of alerts.
    pub fn judge(
        &mut self,
        leader: &LeaderFacts,
        members: &[SeenMember],
        now: Duration,
    ) -> Vec<News> {
        self.note_releases(leader, members, now);
        let mut wanted: BTreeMap<NodeName, Vec<(AlertKind, String)>> = BTreeMap::new();
        for member in members {
            let found = self.concerns(leader, member, now);
            if !found.is_empty() {
                wanted.insert(member.row.node.clone(), found);
            }
        }
        let mut news = Vec::new();
        for (node, concerns) in &self.open {
            let still = wanted.get(node).map_or(&[][..], Vec::as_slice);
            let over = concerns
                .iter()
                .filter(|(kind, _)| !still.iter().any(|(wanted, _)| wanted == kind));
            news.extend(over.map(|(kind, _)| News::clear(*kind, node.as_str())));
        }
        for (node, concerns) in &wanted {
            let known = self.open.get(node).map_or(&[][..], Vec::as_slice);
            let new = concerns.iter().filter(|concern| !known.contains(concern));
            news.extend(new.map(|(kind, detail)| News::raise(*kind, node.as_str(), detail)));
        }
        self.open = wanted;
        news
    }

    fn note_releases(&mut self, leader: &LeaderFacts, members: &[SeenMember], now: Duration) {
        let differing = members.iter().filter(|member| {
            member.standing != MemberStanding::Away && member.row.release != leader.release
        });
        let since = differing.map(|member| {
            let node = member.row.node.clone();
            let since = self.other_release_since.get(&node).copied();
            (node, since.unwrap_or(now))
        });
        self.other_release_since = since.collect();
    }

    fn concerns(
        &self,
        leader: &LeaderFacts,
        member: &SeenMember,
        now: Duration,
    ) -> Vec<(AlertKind, String)> {
        let row = &member.row;
        let node = &row.node;
        if member.standing == MemberStanding::Away {
            let detail = format!(
                "The orchestrator `{node}`, last at {}, does not write its row in the database any more. \
                 It cannot take over until it does.",
                row.address
            );
            return vec![(AlertKind::MemberAway, detail)];
        }
        let mut concerns = Vec::new();
        let differences = leader.settings.differences(&row.settings);
        if !differences.is_empty() {
            let named: Vec<String> = differences.iter().map(ToString::to_string).collect();
            let detail = format!(
                "The orchestrator `{node}` would judge instances by other settings than this leader: {}.",
                named.join("; ")
            );
            concerns.push((AlertKind::SettingsDiffer, detail));
        }
        let since = self.other_release_since.get(node);
        if since.is_some_and(|since| now.saturating_sub(*since) >= UPGRADE_TIME) {
            let detail = format!(
                "The orchestrator `{node}` runs release {} and this leader {}, for more than {} minutes.",
                row.release,
                leader.release,
                UPGRADE_TIME.as_secs() / 60
            );
            concerns.push((AlertKind::ReleasesDiffer, detail));
        }
        concerns
    }
}

#[cfg(test)]
mod tests {
    use super::super::members::tests::row;
    use super::*;

    fn leader() -> LeaderFacts {
        LeaderFacts {
            release: "0.1.0".to_owned(),
            settings: JudgingSettings::parse("HEARTBEAT_TIMEOUT=5m\nLEASE_MARGIN=30s"),
        }
    }

    fn seen(standing: MemberStanding, release: &str, settings: &str) -> SeenMember {
        let mut row = row("b", 1, true);
        row.release = release.to_owned();
        row.settings = JudgingSettings::parse(settings);
        SeenMember {
            row,
            unchanged_for: Duration::ZERO,
            standing,
        }
    }

    fn well() -> SeenMember {
        let settings = leader().settings.to_text();
        seen(MemberStanding::Ready, "0.1.0", &settings)
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Kinds that are raised, and kinds that are cleared.
    fn told(news: &[News]) -> (Vec<AlertKind>, Vec<AlertKind>) {
        let (mut raised, mut cleared) = (Vec::new(), Vec::new());
        for one in news {
            match one {
                News::Raise { kind, subject, .. } => {
                    assert_eq!(subject, "b");
                    raised.push(*kind);
                }
                News::Clear { kinds, .. } => cleared.extend_from_slice(kinds),
                News::Lost(_) | News::Reword { .. } | News::Forget { .. } => {
                    panic!("unexpected: {one:?}")
                }
            }
        }
        (raised, cleared)
    }

    #[test]
    fn a_member_that_is_well_is_no_concern() {
        let mut concerns = MemberConcerns::default();
        assert_eq!(concerns.judge(&leader(), &[well()], at(0)), []);
    }

    #[test]
    fn a_member_that_is_away_is_reported_once_until_it_returns_or_is_forgotten() {
        let away = || seen(MemberStanding::Away, "0.2.0", "HEARTBEAT_TIMEOUT=1m");
        for returned in [vec![well()], vec![]] {
            let mut concerns = MemberConcerns::default();
            let news = concerns.judge(&leader(), &[away()], at(0));
            assert_eq!(told(&news), (vec![AlertKind::MemberAway], vec![]));
            assert_eq!(concerns.judge(&leader(), &[away()], at(900)), []);
            let news = concerns.judge(&leader(), &returned, at(901));
            assert_eq!(told(&news), (vec![], vec![AlertKind::MemberAway]));
        }
    }

    #[test]
    fn settings_that_differ_are_named_with_both_values() {
        let mut concerns = MemberConcerns::default();
        let other = seen(
            MemberStanding::Waiting,
            "0.1.0",
            "HEARTBEAT_TIMEOUT=1m\nLEASE_MARGIN=30s",
        );
        let news = concerns.judge(&leader(), &[other], at(0));
        let [News::Raise { kind, detail, .. }] = news.as_slice() else {
            panic!("one alert is expected: {news:?}");
        };
        assert_eq!(*kind, AlertKind::SettingsDiffer);
        let named = "HEARTBEAT_TIMEOUT is 1m there and 5m here";
        assert!(detail.contains(named), "{detail}");
        assert!(!detail.contains("LEASE_MARGIN"), "{detail}");
        let again = seen(
            MemberStanding::Ready,
            "0.1.0",
            "HEARTBEAT_TIMEOUT=2m\nLEASE_MARGIN=30s",
        );
        let news = concerns.judge(&leader(), &[again], at(1));
        assert_eq!(told(&news), (vec![AlertKind::SettingsDiffer], vec![]));
        let news = concerns.judge(&leader(), &[well()], at(2));
        assert_eq!(told(&news), (vec![], vec![AlertKind::SettingsDiffer]));
    }

    #[test]
    fn releases_may_differ_for_as_long_as_an_upgrade_takes() {
        let other = || {
            let settings = leader().settings.to_text();
            seen(MemberStanding::Ready, "0.2.0", &settings)
        };
        let mut concerns = MemberConcerns::default();
        assert_eq!(concerns.judge(&leader(), &[other()], at(10)), []);
        assert_eq!(concerns.judge(&leader(), &[other()], at(609)), []);
        let news = concerns.judge(&leader(), &[other()], at(610));
        assert_eq!(told(&news), (vec![AlertKind::ReleasesDiffer], vec![]));
        let news = concerns.judge(&leader(), &[well()], at(700));
        assert_eq!(told(&news), (vec![], vec![AlertKind::ReleasesDiffer]));
        assert_eq!(concerns.judge(&leader(), &[other()], at(701)), []);
    }
}
