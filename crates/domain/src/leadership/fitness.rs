//! When a leader hands over because another orchestrator hears much more than it does.
//!
//! ```text
//!                      its row has changed, and it is fitter
//!   none ──▶ 1 look ──▶ 2 looks ──▶ 3 looks ──▶ the leader hands over to it, by the row alone
//!     ▲         │          │           │ within G of the take-over, or of the last hand-over: not yet
//!     └─────────┴──────────┴───────────┘ its row has changed, and it is not fitter
//! ```
//!
//! A leader that is cut off from the workers and from the other orchestrators looks healthy in its row: it goes on
//! renewing it. Each standby writes into its own row whether it reaches the leader and how many instances it hears.
//! A standby is *fitter* if it is ready, does not reach the leader, hears more than twice as many instances as the
//! leader does, and at least half of those that serve. "Twice" keeps two orchestrators from handing the term to and
//! fro while the workers are spread over both; "half" keeps a leader that hears nothing, because the workers are
//! gone, from handing over to one that hears a few.
//!
//! Counts are over a window of the clock of the process that counts. A look counts only if the row has changed since
//! the last one, so a standby that has ended hands nothing to itself. Nothing here carries safety: a hand-over that is
//! wrong costs a load of the fleet.

use std::collections::BTreeMap;
use std::time::Duration;

use super::members::{MemberStanding, SeenMember};
use super::row::{NodeName, RunId};

/// How many looks in a row find a standby fitter before the leader hands over.
pub const FITNESS_LOOKS: u32 = 3;

/// What the leader knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnHearing {
    /// How many instances it heard lately.
    pub hears: u64,
    /// How many instances serve.
    pub serving: u64,
}

impl OwnHearing {
    /// Returns whether one that hears so many instances is fit to lead instead.
    pub const fn is_surpassed_by(self, hears: u64) -> bool {
        hears > self.hears.saturating_mul(2) && hears.saturating_mul(2) >= self.serving
    }
}

/// A standby that is fit to lead instead, and the counts that say so.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FitterMember {
    pub node: NodeName,
    pub hears: u64,
    pub own: OwnHearing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Streak {
    run: RunId,
    beat: i64,
    looks: u32,
}

/// Compares the leader with the standbys. All moments are on the process's steady time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitness {
    /// The time between two hand-overs at least.
    pause: Duration,
    not_before: Duration,
    streaks: BTreeMap<NodeName, Streak>,
}

impl Fitness {
    /// Of a leader that has begun to listen at `began`. Until `pause` is over it may not have heard its instances.
    pub fn new(began: Duration, pause: Duration) -> Self {
        Self {
            pause,
            not_before: began + pause,
            streaks: BTreeMap::new(),
        }
    }

    /// Returns whether a look has to know how much the leader hears.
    pub fn is_concerned(&self, members: &[SeenMember]) -> bool {
        !self.streaks.is_empty() || members.iter().any(may_be_fitter)
    }

    /// The rows of the others were read. Returns the standby that the leader hands over to, if it does.
    pub fn look(
        &mut self,
        members: &[SeenMember],
        own: OwnHearing,
        now: Duration,
    ) -> Option<FitterMember> {
        let mut before = std::mem::take(&mut self.streaks);
        let mut fitter: Vec<&SeenMember> = Vec::new();
        for member in members {
            let row = &member.row;
            if !may_be_fitter(member) || !own.is_surpassed_by(row.reach.hears) {
                continue;
            }
            let known = before
                .remove(&row.node)
                .filter(|known| known.run == row.run);
            let looks = match known {
                Some(known) if known.beat == row.beat => known.looks,
                Some(known) => known.looks.saturating_add(1),
                None => 1,
            };
            if looks >= FITNESS_LOOKS {
                fitter.push(member);
            }
            let streak = Streak {
                run: row.run,
                beat: row.beat,
                looks,
            };
            self.streaks.insert(row.node.clone(), streak);
        }
        if now < self.not_before {
            return None;
        }
        // Of several, the one that hears most, and then the first by name, as members are ordered.
        let best = fitter
            .into_iter()
            .rev()
            .max_by_key(|member| member.row.reach.hears)?;
        self.not_before = now + self.pause;
        self.streaks.clear();
        Some(FitterMember {
            node: best.row.node.clone(),
            hears: best.row.reach.hears,
            own,
        })
    }
}

fn may_be_fitter(member: &SeenMember) -> bool {
    let reach = member.row.reach;
    member.standing == MemberStanding::Ready && !reach.reaches_leader && reach.hears > 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::leadership::member::Reach;
    use crate::leadership::members::tests::row;

    /// The pause between two hand-overs.
    const PAUSE: Duration = Duration::from_secs(120);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn own(hears: u64, serving: u64) -> OwnHearing {
        OwnHearing { hears, serving }
    }

    /// A standby that does not reach the leader.
    fn member(node: &str, beat: i64, hears: u64) -> SeenMember {
        let mut row = row(node, beat, true);
        row.reach = Reach {
            reaches_leader: false,
            hears,
        };
        SeenMember {
            row,
            unchanged_for: Duration::ZERO,
            standing: MemberStanding::Ready,
        }
    }

    /// Looks, each with a new beat, once a hand-over is possible.
    fn looks(hears: u64, own: OwnHearing, count: i64) -> Option<FitterMember> {
        let mut fitness = Fitness::new(at(0), PAUSE);
        (0..count)
            .filter_map(|beat| fitness.look(&[member("b", beat, hears)], own, PAUSE))
            .last()
    }

    #[test]
    fn a_standby_is_fitter_if_it_hears_more_than_twice_as_many_and_at_least_half() {
        // what it hears, what the leader hears, how many serve
        let table = [
            (10, 0, 10, true),
            (5, 0, 10, true),
            (4, 0, 10, false),
            (10, 5, 10, false),
            (10, 4, 10, true),
            (9, 4, 18, true),
            (9, 4, 19, false),
            (1, 0, 1, true),
            (0, 0, 0, false),
        ];
        for (hears, heard, serving, expected) in table {
            let own = own(heard, serving);
            let found = looks(hears, own, 3);
            assert_eq!(found.is_some(), expected, "{hears} {own:?}");
        }
    }

    #[test]
    fn three_looks_with_a_changed_row_are_needed() {
        let own = own(0, 10);
        assert_eq!(looks(10, own, 2), None);
        let expected = FitterMember {
            node: NodeName::new("b"),
            hears: 10,
            own,
        };
        assert_eq!(looks(10, own, 3), Some(expected));
        // A row that does not change is no look.
        let mut fitness = Fitness::new(at(0), PAUSE);
        for _ in 0..9 {
            assert_eq!(fitness.look(&[member("b", 4, 10)], own, PAUSE), None);
        }
        assert_eq!(fitness.look(&[member("b", 5, 10)], own, PAUSE), None);
        // Neither is one of an earlier process.
        let mut restarted = member("b", 0, 10);
        restarted.row.run = RunId::new(77);
        assert_eq!(fitness.look(&[restarted], own, PAUSE), None);
        assert_eq!(fitness.look(&[member("b", 6, 10)], own, PAUSE), None);
        assert_eq!(fitness.look(&[member("b", 7, 10)], own, PAUSE), None);
        assert!(fitness.look(&[member("b", 8, 10)], own, PAUSE).is_some());
    }

    #[test]
    fn a_look_at_which_it_is_not_fitter_starts_anew() {
        let mut fitness = Fitness::new(at(0), PAUSE);
        let (deaf, good) = (own(0, 10), own(9, 10));
        for (beat, own) in [(1, deaf), (2, deaf), (3, good), (4, deaf), (5, deaf)] {
            assert_eq!(fitness.look(&[member("b", beat, 10)], own, PAUSE), None);
        }
        assert!(fitness.look(&[member("b", 6, 10)], deaf, PAUSE).is_some());
    }

    #[test]
    fn only_one_that_is_ready_and_does_not_reach_the_leader_counts() {
        let reaches = |beat| {
            let mut member = member("b", beat, 10);
            member.row.reach.reaches_leader = true;
            member
        };
        let away = |beat| SeenMember {
            standing: MemberStanding::Away,
            ..member("b", beat, 10)
        };
        let waiting = |beat| SeenMember {
            standing: MemberStanding::Waiting,
            ..member("b", beat, 10)
        };
        for kind in [&reaches as &dyn Fn(i64) -> SeenMember, &away, &waiting] {
            let mut fitness = Fitness::new(at(0), PAUSE);
            for beat in 0..9 {
                let members = [kind(beat)];
                assert!(!fitness.is_concerned(&members));
                assert_eq!(fitness.look(&members, own(0, 10), PAUSE), None);
            }
        }
        assert!(Fitness::new(at(0), PAUSE).is_concerned(&[member("b", 1, 1)]));
    }

    #[test]
    fn of_several_the_one_that_hears_most_leads() {
        let mut fitness = Fitness::new(at(0), PAUSE);
        let members = |beat| {
            [
                member("b", beat, 6),
                member("c", beat, 8),
                member("d", beat, 8),
            ]
        };
        assert_eq!(fitness.look(&members(1), own(0, 10), PAUSE), None);
        assert_eq!(fitness.look(&members(2), own(0, 10), PAUSE), None);
        let found = fitness.look(&members(3), own(0, 10), PAUSE);
        assert_eq!(found.map(|found| found.node), Some(NodeName::new("c")));
    }

    #[test]
    fn a_leader_hands_over_once_in_its_pause_and_not_right_after_its_take_over() {
        let mut fitness = Fitness::new(at(1_000), PAUSE);
        let mut handed_over = Vec::new();
        for second in 1_000..1_400 {
            let beat = i64::try_from(second).unwrap();
            if let Some(found) = fitness.look(&[member("b", beat, 10)], own(0, 10), at(second)) {
                handed_over.push((second, found.node.to_string()));
            }
        }
        let times: Vec<u64> = handed_over.iter().map(|(second, _)| *second).collect();
        assert_eq!(times, [1_120, 1_240, 1_360]);
    }

    proptest! {
        #[test]
        fn two_leaders_never_take_each_other_for_fitter(
            first in 0_u64..1_000, second in 0_u64..1_000, serving in 0_u64..1_000,
        ) {
            let to_second = own(first, serving).is_surpassed_by(second);
            let to_first = own(second, serving).is_surpassed_by(first);
            prop_assert!(!(to_second && to_first));
        }
    }
}
