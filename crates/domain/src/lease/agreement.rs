//! Whether an instance goes by leases. Its heartbeats say so: those that name their incarnation.
//!
//! The agreement is saved before the first lease is granted, because an orchestrator that starts
//! anew must know which instances may hold one.

use std::time::Duration;

use crate::fleet::Standing;
use crate::settings::WorkerLimits;
use crate::time::Timestamp;

/// What a heartbeat means for the agreement that is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// It stays as it is.
    Stands,
    /// It is to be saved anew.
    Changes {
        /// How long the leases are from now on; none: none is granted.
        lease: Option<Duration>,
    },
}

/// What a heartbeat means for the agreement of its instance. `granted_until` is the end of the last
/// lease that was granted, if any was.
///
/// If two processes beat under one name and only one of them names its incarnation, the instance
/// stays leased as long as the lease of that one lasts: otherwise its exclusive streams would be
/// moved while it runs them.
pub fn agreement(
    standing: &Standing,
    names_incarnation: bool,
    granted_until: Option<Timestamp>,
    limits: &WorkerLimits,
    now: Timestamp,
) -> Agreement {
    if names_incarnation {
        if standing.leased && standing.lease >= limits.lease {
            return Agreement::Stands;
        }
        return Agreement::Changes {
            lease: Some(limits.lease),
        };
    }
    let may_still_run = granted_until.is_some_and(|granted| now < granted + limits.lease_margin);
    if !standing.leased || may_still_run {
        return Agreement::Stands;
    }
    Agreement::Changes { lease: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_heartbeat_changes_the_agreement_unless_it_is_saved_or_a_lease_still_runs() {
        let limits = WorkerLimits {
            lease: Duration::from_micros(100),
            lease_margin: Duration::from_micros(10),
            ..sample::limits()
        };
        let leases = |micros| Agreement::Changes {
            lease: Some(Duration::from_micros(micros)),
        };
        let none = Agreement::Changes { lease: None };
        // names its incarnation, the saved lease (0: classic), last grant, now, what follows
        let table = [
            (true, 0, None, 0, leases(100)),
            (true, 100, None, 0, Agreement::Stands),
            (true, 101, None, 0, Agreement::Stands),
            (true, 99, None, 0, leases(100)),
            (true, 99, Some(50), 0, leases(100)),
            (false, 0, None, 0, Agreement::Stands),
            (false, 0, Some(50), 70, Agreement::Stands),
            (false, 100, None, 0, none),
            (false, 100, Some(50), 59, Agreement::Stands),
            (false, 100, Some(50), 60, none),
        ];
        for (names, saved, granted, now, expected) in table {
            let standing = Standing {
                leased: saved > 0,
                lease: Duration::from_micros(saved),
                ..sample::standing()
            };
            let granted = granted.map(Timestamp::from_micros);
            let found = agreement(
                &standing,
                names,
                granted,
                &limits,
                Timestamp::from_micros(now),
            );
            assert_eq!(found, expected, "{names}, {saved}, {granted:?}, {now}");
        }
    }
}
