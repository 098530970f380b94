//! When the streams of an instance may be given to others.
//!
//! An instance that beats with its incarnation is *leased*: each heartbeat that is answered with
//! a lease lets its worker run its exclusive streams for a while, measured by the worker from the
//! moment it sent it. Nothing exclusive is given away before the last lease granted and a margin
//! for drifting clocks have run out, unless the worker has released it. All other instances are
//! *classic*: nothing is known of what they do, and their streams are moved at once.
//!
//! | rule | question |
//! | --- | --- |
//! | `agreement` | Does the instance go by leases, and must that be saved first? |
//! | `grant` | Is a heartbeat granted a lease, and is that lease reported? |
//! | `release` | Which streams does a heartbeat show to be started or released? |
//! | `over` | May a worker still run the exclusive streams of the instance? |
//! | `board` | How many streams run under leases, over the whole fleet? |

mod agreement;
mod board;
mod grant;
mod over;
mod release;

pub use agreement::{Agreement, agreement};
pub use board::{LeaseBoard, Leases, Seat};
pub use grant::{Grant, WorkerSet, grant, told};
pub use over::{Lease, LeaseOver, lease, runs};
pub use release::{Shown, is_rid_of_all, shows_news};
