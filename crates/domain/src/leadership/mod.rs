//! Leadership: which of several orchestrators on one database may decide, and what an orchestrator
//! needs before an answer may start, stop, deny or judge anything.

mod row;

pub use row::{LeadershipRow, NodeName, RowState, RunId};
