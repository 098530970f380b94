//! Alerts, silences, and receivers outside.

use serde_json::json;

use super::super::alerts::{AcknowledgeAnswer, AlertAnswer};
use super::super::requests::{
    AcknowledgeRequest, AlertsQuery, DeliveriesQuery, RedeliverRequest, SilenceRequest,
    WebhookRequest,
};
use super::super::silences::{SilenceAnswer, SilencesAnswer};
use super::super::webhooks::{
    DeletedAnswer, DeliveryAnswer, RedeliveringAnswer, SavedHead, TestHead, WebhookAnswer,
};
use super::answers::{object, of};
use super::call::Call;
use crate::domain::ids::AlertId;

const UNKNOWN: &str = "There is no such webhook.";
const FROM_FILE: &str = "It is from the file of webhooks, and can be changed only there.";

pub(super) fn calls() -> Vec<Call> {
    let name = || json!({"name": "pager"});
    vec![
        Call::get("/resilience/alerts")
            .query::<AlertsQuery>()
            .example(json!({"open": true, "limit": 10}))
            .answers(
                object()
                    .list("alerts", of::<AlertAnswer>())
                    .page::<AlertId>(),
            ),
        Call::post("/resilience/alerts/{id}/acknowledge")
            .optional_body::<AcknowledgeRequest>(json!({"note": "I look at it."}))
            .example(json!({"id": 1}))
            .answers_with::<AcknowledgeAnswer>()
            .refuses(404, "There is no such alert.")
            .refuses(409, "The alert is closed."),
        Call::get("/resilience/silences").answers_with::<SilencesAnswer>(),
        Call::post("/resilience/silences")
            .body::<SilenceRequest>(json!({
                "matchers": [{"name": "instance", "value": "worker-7"}],
                "for": "2h",
                "reason": "a new disk",
            }))
            .answers_with::<SilenceAnswer>()
            .refuses(409, "As many silences are active as may be."),
        Call::delete("/resilience/silences/{id}")
            .example(json!({"id": 1}))
            .answers_with::<SilenceAnswer>()
            .refuses(404, "There is no such active silence.")
            .refuses(409, "It cannot be ended now."),
        Call::get("/webhooks").answers(object().list("webhooks", of::<WebhookAnswer>())),
        Call::put("/webhooks/{name}")
            .body::<WebhookRequest>(
                json!({"url": "https://203.0.113.9/hook", "types": ["alert.*"]}),
            )
            .example(name())
            .answers(object().with::<SavedHead>().with::<WebhookAnswer>())
            .refuses(409, FROM_FILE),
        Call::delete("/webhooks/{name}")
            .example(name())
            .answers_with::<DeletedAnswer>()
            .refuses(404, UNKNOWN)
            .refuses(409, FROM_FILE),
        Call::post("/webhooks/{name}/test")
            .example(name())
            .answers(object().with::<TestHead>().with::<DeliveryAnswer>())
            .refuses(404, UNKNOWN)
            .refuses(409, "It is switched off, or cannot be tested now."),
        Call::get("/webhooks/{name}/deliveries")
            .query::<DeliveriesQuery>()
            .example(json!({"name": "pager", "state": "failed", "limit": 10}))
            .answers(
                object()
                    .list("deliveries", of::<DeliveryAnswer>())
                    .page::<i64>(),
            )
            .refuses(404, UNKNOWN),
        Call::post("/webhooks/{name}/redeliver")
            .body::<RedeliverRequest>(json!({"since": "2h"}))
            .example(name())
            .answers_with::<RedeliveringAnswer>()
            .refuses(404, UNKNOWN)
            .refuses(409, "It is switched off."),
    ]
}
