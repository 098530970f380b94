//! Which instance gets a stream.
//!
//! First the hard rules: [`Need`] says what a stream needs of its owner, [`Room`] what an instance has
//! left, [`Exclusion`] why an instance cannot have the stream. Then the score: a [`PlacementPolicy`]
//! gives each instance a score, and the least score gets the stream. The order of the fields of a score
//! is the policy. Preferences of a single stream ([`Preference`]: its pin, its group, workers that gave
//! it back) go before the score and after the hard rules.
//!
//! Nothing here depends on the fleet: the same facts give the same choice.

mod exclusion;
mod need;
mod policy;
mod preference;
mod score;

pub use exclusion::Exclusion;
pub use need::{Need, Room};
pub use policy::{PlacementPolicy, PlacementSettings};
pub use preference::{Crowding, Preference};
pub use score::{BalancedScore, BasicScore, Facts, Load, LoadAwareScore, Score, Strain};
