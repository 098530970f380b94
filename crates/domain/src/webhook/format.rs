//! The forms in which messages are sent.

use crate::string_enum::string_enum;

string_enum! {
    /// The form of a body.
    Format {
        /// `{"type","timestamp","data"}`.
        Generic = "generic",
        /// `{"text"}`, as incoming webhooks of Slack and Mattermost take it.
        Slack = "slack",
        /// The list that the second version of Alertmanager's API takes.
        Alertmanager = "alertmanager",
    }
}
