//! The mass-failure brake: when most of the fleet falls silent at once, the network or this
//! program is the likelier culprit, and moving every stream would be worse than waiting.
//!
//! ```text
//!            an expiry finds a mass            the hold is over, or released
//!   Open ────────────────────────▶ Held ─────────────────────────▶ Releasing
//!    ▲                              │  ▲  prolonged, or a new mass     │
//!    │      every one beats again   │  └───────────────────────────────┤
//!    └──────────────────────────────┴──────────────────────────────────┘ the last is released
//! ```
//!
//! *The formula*, judged when an instance passes its timeout. **Active** counts the instances that
//! serve (not failed, in maintenance or inactive), sent a heartbeat within the last two timeouts,
//! and either are late or have served since before the expired instance became late: a replacement
//! that is started because of the silence cannot hide it. **Late** counts those of them that are
//! past the warning threshold. At least `MASS_FAILURE_MIN` late instances that are more than
//! `MASS_FAILURE_RATIO` of the active ones are a mass. After the program's own start every loaded
//! instance counts: the earliest expiry is a timeout away.
//!
//! *The mass* needs no list: it is every silence that began before the brake engaged and became
//! late before the hold was over. An instance that sends a heartbeat afterwards and falls silent
//! again is outside the mass and is recovered at its own timeout, unless such newcomers are a mass
//! in themselves: then they join the hold, and wait for the same end. A mass that falls silent
//! while an earlier one is being released has a hold of its own, and the release continues beside
//! it.
//!
//! *Orders.* Releasing ends the hold. Prolonging makes it longer, and also withdraws the releases
//! that have not begun yet: an operator who says "wait" means all of the mass.
//!
//! *Robustness*: calls that come early, late or twice change nothing; a lost message is found by
//! the sweep, which asks again. A count may be [`COUNT_INTERVAL`] old, so that ten thousand
//! expiries do not walk ten thousand instances each. *The brake always ends by itself*: a hold is
//! bounded, so is each prolongation, and a mass that was released is never held again, except by an
//! operator.

mod census;
mod hold;
mod machine;
mod release;
#[cfg(test)]
mod tests;

pub use census::{Census, Sighting, count, is_mass};
pub use hold::{Engagement, LOOK_INTERVAL, MAX_PROLONGATION};
pub use machine::{
    Brake, BrakeAction, COUNT_INTERVAL, Ending, Look, Order, OrderRefused, Phase, Verdict,
};
pub use release::RELEASE_WINDOW;
