//! Which answers a deposed orchestrator must not give.
//!
//! Two orchestrators may believe at the same time that they lead: the newer one does, and the older
//! one has not heard of it. An answer of the older one does harm if it denies a worker (404 and 409
//! make a worker stop everything), hands streams out, judges a claim or confirms an order from
//! memory. Each of these answers needs a [`Proof`](super::Proof) that was sent
//! after the request came: if a newer orchestrator had taken over before the request, then the proof
//! would not exist, because the same row of the database gives it. Without a proof the answer is 503.
//!
//! | kind of route | which answers need a proof |
//! | --- | --- |
//! | `Own` | none: it is about this process |
//! | `Shown` | none |
//! | `ShownToWorker` | 404 and 409; others say since when they may be stale |
//! | `Beat` | 404 and 409; `heartbeat_outcome` has the rule for the rest |
//! | `Told` | 2xx, 404 and 409 |
//! | `Judged` | 2xx |
//! | `Ordered` | 2xx, 404 and 409 |

/// What the answers of a route do to those who get them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// They are about the process that answers.
    Own,
    /// They show people the fleet.
    Shown,
    /// They show a worker what it is to run.
    ShownToWorker,
    /// They answer a heartbeat.
    Beat,
    /// They tell a worker what to run, or that it is registered.
    Told,
    /// They judge claims to streams.
    Judged,
    /// They confirm what an operator ordered.
    Ordered,
}

/// What an answer says, as far as a proof is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It grants or confirms what was asked (2xx).
    Granted,
    /// It says that there is no such instance or life (404, 409), which makes a worker stop everything.
    Denied,
    /// It says that the request was bad or cannot be answered, and nothing about the fleet.
    Failed,
}

/// When the proof of an answer must have been sent at the earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// The answer needs no proof.
    Nothing,
    /// After the request came.
    AfterRequest,
    /// After the answer was decided. A long poll may have come half a minute before.
    AfterVerdict,
}

impl Authority {
    /// What an answer with this verdict needs.
    pub const fn needs(self, verdict: Verdict) -> Needed {
        match (self, verdict) {
            (Self::Own | Self::Shown, _) | (_, Verdict::Failed) => Needed::Nothing,
            (Self::Judged, Verdict::Denied) => Needed::Nothing,
            (Self::ShownToWorker | Self::Beat, Verdict::Granted) => Needed::Nothing,
            (Self::Told | Self::Judged | Self::Ordered, Verdict::Granted) => Needed::AfterRequest,
            (Self::ShownToWorker | Self::Beat | Self::Told | Self::Ordered, Verdict::Denied) => {
                Needed::AfterVerdict
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_route_needs_what_the_table_says() {
        use Authority::{Beat, Judged, Ordered, Own, Shown, ShownToWorker, Told};
        use Needed::{AfterRequest, AfterVerdict, Nothing};
        // the kind, and what it needs to grant and to deny
        let table = [
            (Own, Nothing, Nothing),
            (Shown, Nothing, Nothing),
            (ShownToWorker, Nothing, AfterVerdict),
            (Beat, Nothing, AfterVerdict),
            (Told, AfterRequest, AfterVerdict),
            (Judged, AfterRequest, Nothing),
            (Ordered, AfterRequest, AfterVerdict),
        ];
        for (authority, to_grant, to_deny) in table {
            assert_eq!(authority.needs(Verdict::Granted), to_grant, "{authority:?}");
            assert_eq!(authority.needs(Verdict::Denied), to_deny, "{authority:?}");
            assert_eq!(authority.needs(Verdict::Failed), Nothing, "{authority:?}");
        }
    }
}
