//! The text of a message, for chats.

use super::message::{Content, Message};
use crate::alert::Severity;

/// Returns the message in one or two lines. `&`, `<` and `>` are escaped: Slack reads them as links and mentions.
pub fn slack_text(message: &Message) -> String {
    let (head, detail) = match &message.content {
        Content::Alert(alert) => {
            let state = match (alert.closed_at, alert.severity) {
                (Some(_), _) => "Closed",
                (None, Severity::Critical) => "CRITICAL",
                (None, Severity::Warning) => "Warning",
            };
            let head = format!("*{state}: {}* ({})", alert.kind, alert.subject);
            (head, alert.detail.as_str())
        }
        Content::Event(event) => (format!("*{}*", event.kind), event.detail.as_str()),
        Content::Test => (
            "*Test*".to_owned(),
            "The orchestrator reaches this channel.",
        ),
    };
    let text = format!("{head}\n{detail}");
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
