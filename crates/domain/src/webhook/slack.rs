//! The text of a message, for chats.

use super::message::{Content, Message};
use crate::alert::Severity;

/// Returns the message in one to three lines: what, a sentence, and what to do. `&`, `<` and `>` are escaped: Slack reads them as links and mentions.
pub fn slack_text(message: &Message) -> String {
    let (head, detail, advice) = match &message.content {
        Content::Alert(alert) => {
            let state = match (alert.closed_at, alert.severity) {
                (Some(_), _) => "Closed",
                (None, Severity::Critical) => "CRITICAL",
                (None, Severity::Warning) => "Warning",
            };
            let head = format!("*{state}: {}* ({})", alert.kind, alert.subject);
            let rule = alert.rule().filter(|_| alert.closed_at.is_none());
            (head, alert.detail.as_str(), rule.map(|rule| rule.advice))
        }
        Content::Event(event) => (format!("*{}*", event.kind), event.detail.as_str(), None),
        Content::Test => (
            "*Test*".to_owned(),
            "The orchestrator reaches this channel.",
            None,
        ),
    };
    let advice = advice
        .map(|advice| format!("\n{advice}"))
        .unwrap_or_default();
    let text = format!("{head}\n{detail}{advice}");
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
