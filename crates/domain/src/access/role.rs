//! What a caller is to the orchestrator.

use crate::string_enum::string_enum;

string_enum! {
    /// What a caller may do, from the least to the most.
    Role {
        /// The calls of a worker, for the `server_id`s that its key allows.
        Worker = "worker",
        /// Everything that shows the fleet and changes nothing.
        Viewer = "viewer",
        /// What a viewer may, and everything that acts on the fleet.
        Operator = "operator",
        /// Everything: also keys, webhooks, the log and the leadership.
        Admin = "admin",
    }
}
