//! The bodies of requests, in the format of each target.

use serde_json::{Value, json};

use crate::domain::webhook::{Content, Format, Message, alertmanager_body, slack_text};

/// Returns the body of a message. `generator` is the address of the list of alerts.
pub fn body_of(message: &Message, format: Format, generator: &str) -> Vec<u8> {
    let body = match format {
        Format::Generic => generic(message),
        Format::Slack => json!({"text": slack_text(message)}),
        Format::Alertmanager => json!(alertmanager_body(message, generator)),
    };
    body.to_string().into_bytes()
}

/// Returns the body of several messages at once, for Alertmanager.
pub(super) fn body_of_all(messages: &[Message], generator: &str) -> Vec<u8> {
    let alerts = messages
        .iter()
        .flat_map(|message| alertmanager_body(message, generator));
    json!(alerts.collect::<Vec<_>>()).to_string().into_bytes()
}

fn generic(message: &Message) -> Value {
    json!({
        "type": message.kind(),
        "timestamp": message.at.to_string(),
        "data": data(message),
    })
}

fn data(message: &Message) -> Value {
    match &message.content {
        Content::Alert(alert) => {
            let mut data = json!({
                "id": alert.id,
                "kind": alert.kind,
                "severity": alert.severity,
                "subject": alert.subject,
                "detail": alert.detail,
                "instances": alert.instances,
                "open": alert.closed_at.is_none(),
                "opened_at": alert.opened_at.to_string(),
                "closed_at": alert.closed_at.map(|end| end.to_string()),
            });
            if let Some(rule) = alert.rule() {
                data["advice"] = rule.advice.into();
                data["runbook"] = rule.runbook.into();
            }
            if alert.escalated {
                data["escalated"] = true.into();
            }
            data
        }
        // What was written as an object is one.
        Content::Event(event) => serde_json::from_str(&event.object).unwrap_or_default(),
        Content::Test => json!({"detail": "A test: the orchestrator reaches this receiver."}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Severity;
    use crate::domain::events::EventSeverity;
    use crate::domain::time::WallTime;
    use crate::domain::webhook::{AlertNotice, EventNotice};

    fn at(second: i64) -> WallTime {
        WallTime::from_micros(1_700_000_000_000_000 + second * 1_000_000)
    }

    fn messages() -> [Message; 4] {
        let alert = AlertNotice {
            id: 7,
            kind: "flapping".to_owned(),
            severity: Severity::Critical,
            subject: "a<b>&c".to_owned(),
            instances: vec!["a<b>&c".into()],
            detail: "Instance `a<b>&c` failed 4 times.".to_owned(),
            opened_at: at(0),
            closed_at: None,
            escalated: false,
        };
        let closed = AlertNotice {
            closed_at: Some(at(9)),
            ..alert.clone()
        };
        let event = EventNotice {
            sequence: 5,
            kind: "instance_failed".to_owned(),
            severity: EventSeverity::Warning,
            detail: "Instance `a` failed.".to_owned(),
            object: r#"{"id":5,"kind":"instance_failed"}"#.to_owned(),
            traceparent: None,
        };
        let contents = [
            (Content::Alert(alert), at(0)),
            (Content::Alert(closed), at(9)),
            (Content::Event(event), at(2)),
            (Content::Test, at(3)),
        ];
        contents.map(|(content, at)| Message {
            id: "msg".to_owned(),
            at,
            content,
        })
    }

    #[test]
    fn each_format_has_its_body() {
        let shown = |format| {
            messages().map(|message| {
                let body = body_of(&message, format, "http://o/resilience/alerts");
                serde_json::from_slice::<Value>(&body).unwrap()
            })
        };
        let detail = "Instance `a<b>&c` failed 4 times.";
        let data = json!({"id": 7, "kind": "flapping", "severity": "critical", "subject": "a<b>&c",
            "detail": detail, "open": true, "opened_at": "2023-11-14T22:13:20.000000Z",
            "closed_at": null, "instances": ["a<b>&c"], "runbook": "docs/OPERATIONS.md#flapping",
            "advice": "Find out what is wrong with the machine; cordon it meanwhile: `orchestrator \
                cordon NAME`."});
        let mut over = data.clone();
        over["open"] = false.into();
        over["closed_at"] = "2023-11-14T22:13:29.000000Z".into();
        assert_eq!(
            shown(Format::Generic),
            [
                json!({"type": "alert.opened", "timestamp": "2023-11-14T22:13:20.000000Z",
                    "data": data}),
                json!({"type": "alert.closed", "timestamp": "2023-11-14T22:13:29.000000Z",
                    "data": over}),
                json!({"type": "event.instance_failed",
                    "timestamp": "2023-11-14T22:13:22.000000Z",
                    "data": {"id": 5, "kind": "instance_failed"}}),
                json!({"type": "webhook.test", "timestamp": "2023-11-14T22:13:23.000000Z",
                    "data": {"detail": "A test: the orchestrator reaches this receiver."}}),
            ]
        );
        let texts = shown(Format::Slack).map(|body| body["text"].as_str().unwrap().to_owned());
        assert_eq!(
            texts,
            [
                "*CRITICAL: flapping* (a&lt;b&gt;&amp;c)\nInstance `a&lt;b&gt;&amp;c` failed 4 times.\n\
                 Find out what is wrong with the machine; cordon it meanwhile: `orchestrator cordon NAME`.",
                "*Closed: flapping* (a&lt;b&gt;&amp;c)\nInstance `a&lt;b&gt;&amp;c` failed 4 times.",
                "*instance_failed*\nInstance `a` failed.",
                "*Test*\nThe orchestrator reaches this channel.",
            ]
        );
        let [opened, closed, event, test] = shown(Format::Alertmanager);
        assert_eq!(opened[0]["labels"]["server_id"], "a<b>&c");
        assert_eq!(opened[0]["generatorURL"], "http://o/resilience/alerts");
        assert_eq!(opened[0].get("endsAt"), None);
        assert_eq!(closed[0]["endsAt"], "2023-11-14T22:13:29.000000Z");
        assert_eq!(closed[0]["labels"], opened[0]["labels"]);
        assert_eq!(event, json!([]));
        assert_eq!(test[0]["startsAt"], test[0]["endsAt"], "over at once");
    }
}
