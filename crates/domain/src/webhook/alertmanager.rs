//! The body for Alertmanager (`POST /api/v2/alerts`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::message::{AlertNotice, Content, Message};
use crate::alert::Severity;
use crate::time::WallTime;

/// An alert as Alertmanager takes it. Its labels are its identity there. They are the same from its opening to its end,
/// unless it comes to name a whole rack or network: what it was before is repeated no more, and ends there after a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names say it")]
pub struct AlertmanagerAlert {
    pub labels: BTreeMap<&'static str, String>,
    pub annotations: BTreeMap<&'static str, String>,
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
    pub starts_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
}

/// Returns an alert in the form of Alertmanager. `generator` leads to the alerts of this orchestrator.
pub fn alertmanager_alert(alert: &AlertNotice, generator: &str) -> AlertmanagerAlert {
    let mut labels = BTreeMap::from([
        ("alertname", alert.kind.clone()),
        ("severity", alert.severity.as_str().to_owned()),
        ("subject", alert.subject.clone()),
        ("source", "orchestrator".to_owned()),
    ]);
    if let Some(instance) = alert.instance() {
        labels.insert("server_id", instance.to_string());
    }
    let mut annotations = BTreeMap::from([("summary", alert.detail.clone())]);
    if let Some(rule) = alert.rule() {
        annotations.insert("description", rule.advice.to_owned());
        annotations.insert("runbook", rule.runbook.to_owned());
    }
    AlertmanagerAlert {
        labels,
        annotations,
        generator_url: generator.to_owned(),
        starts_at: alert.opened_at.to_string(),
        ends_at: alert.closed_at.map(|end| end.to_string()),
    }
}

/// Returns the body of a message. An alert that became critical ends as a warning, because its severity is one of its
/// labels. A test is an alert that is over at once.
pub fn alertmanager_body(message: &Message, generator: &str) -> Vec<AlertmanagerAlert> {
    match &message.content {
        Content::Alert(alert) if alert.escalated => {
            let warning = AlertNotice {
                severity: Severity::Warning,
                closed_at: Some(message.at),
                ..alert.clone()
            };
            [&warning, alert]
                .map(|alert| alertmanager_alert(alert, generator))
                .to_vec()
        }
        Content::Alert(alert) => vec![alertmanager_alert(alert, generator)],
        Content::Event(_) => Vec::new(),
        Content::Test => vec![alertmanager_alert(&test(message.at), generator)],
    }
}

fn test(at: WallTime) -> AlertNotice {
    AlertNotice {
        id: 0,
        kind: "webhook_test".to_owned(),
        severity: Severity::Warning,
        subject: "test".to_owned(),
        instances: Vec::new(),
        detail: "The orchestrator reaches this Alertmanager.".to_owned(),
        opened_at: at,
        closed_at: Some(at),
        escalated: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::AlertKind;

    #[test]
    fn an_alert_has_the_same_labels_when_it_ends() {
        let mut alert = AlertNotice {
            id: 7,
            kind: "flapping".to_owned(),
            severity: Severity::Warning,
            subject: "a".to_owned(),
            instances: vec!["a".into()],
            detail: "it flaps".to_owned(),
            opened_at: WallTime::from_micros(1_700_000_000_000_000),
            closed_at: None,
            escalated: false,
        };
        let message = |alert: &AlertNotice| Message {
            id: "m".to_owned(),
            at: WallTime::from_micros(1_700_000_001_000_000),
            content: Content::Alert(alert.clone()),
        };
        let opened = alertmanager_body(&message(&alert), "http://o/resilience/alerts");
        assert_eq!(
            serde_json::to_value(&opened).unwrap(),
            serde_json::json!([{
                "labels": {"alertname": "flapping", "severity": "warning", "subject": "a",
                    "server_id": "a", "source": "orchestrator"},
                "annotations": {"summary": "it flaps", "runbook": "docs/OPERATIONS.md#flapping",
                    "description": AlertKind::Flapping.rule().advice},
                "generatorURL": "http://o/resilience/alerts",
                "startsAt": "2023-11-14T22:13:20.000000Z",
            }])
        );
        alert.closed_at = Some(WallTime::from_micros(1_700_000_009_000_000));
        let closed = alertmanager_body(&message(&alert), "");
        assert_eq!(closed[0].labels, opened[0].labels);
        let end = closed[0].ends_at.as_deref();
        assert_eq!(end, Some("2023-11-14T22:13:29.000000Z"));
        alert.closed_at = None;
        alert.severity = Severity::Critical;
        alert.escalated = true;
        let [warning, critical] = &alertmanager_body(&message(&alert), "")[..] else {
            panic!("one ends, one begins");
        };
        assert_eq!(warning.labels, opened[0].labels);
        assert!(warning.ends_at.is_some() && critical.ends_at.is_none());
        assert_eq!(critical.labels["severity"], "critical");
    }
}
