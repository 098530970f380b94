//! The process itself.

use serde_json::json;

use super::super::cluster::{ClusterAnswer, LeaderAnswer, StandbyHealth, StandbyReady};
use super::super::cluster_orders::{ForgottenAnswer, StepDownAnswer, TakeOverAnswer};
use super::super::console::{SET, STORED};
use super::super::docs::{FILES, HTML, SCRIPT, STYLE};
use super::super::exposition::Exposition;
use super::super::logs::LogsAnswer;
use super::super::requests::{LogsQuery, StepDownRequest, TakeOverQuery};
use super::super::shown_settings::SettingsAnswer;
use super::super::status::{HealthAnswer, LiveAnswer, ReadyAnswer, StatusAnswer};
use super::answers::{of, told};
use super::call::Call;

const CLASSIC: &str = Exposition::Classic.content_type();
const OPEN: &str = Exposition::OpenMetrics.content_type();

pub(super) fn calls() -> Vec<Call> {
    let text = || json!({"type": "string"});
    let files: Vec<&str> = FILES.iter().map(|file| file.name).collect();
    let console_files: Vec<&str> = STORED.iter().map(|file| file.name).collect();
    vec![
        Call::get("/leader")
            .always()
            .answers_with::<LeaderAnswer>()
            .also(
                503,
                "Another orchestrator leads, or there is no proof.",
                of::<LeaderAnswer>(),
            ),
        Call::get("/cluster")
            .always()
            .answers_with::<ClusterAnswer>(),
        Call::post("/cluster/take-over")
            .always()
            .query::<TakeOverQuery>()
            .example(json!({"reason": "the leader is to be updated"}))
            .answers_with::<TakeOverAnswer>()
            .refuses(409, "This orchestrator leads already."),
        Call::post("/cluster/step-down")
            .body::<StepDownRequest>(json!({"reason": "the machine gets a new kernel"}))
            .answers_with::<StepDownAnswer>()
            .refuses(
                409,
                "No other orchestrator is ready, or `to` is not, or leads. Nothing was changed.",
            ),
        Call::delete("/cluster/members/{node}")
            .example(json!({"node": "orchestrator-2"}))
            .answers_with::<ForgottenAnswer>()
            .refuses(404, "No orchestrator has that name.")
            .refuses(409, "It leads, or is not away. Nothing was changed."),
        Call::get("/status").answers(told::<StatusAnswer>()),
        Call::get("/health")
            .answers(of::<HealthAnswer>().or(of::<StandbyHealth>()))
            .also(
                503,
                "On a standby that reaches neither the leader nor the database.",
                of::<StandbyHealth>(),
            ),
        Call::get("/ready")
            .answers(of::<ReadyAnswer>().or(of::<StandbyReady>()))
            .also(
                503,
                "Before the fleet is loaded, while the process stops, and on a standby that reaches no proven leader.",
                of::<ReadyAnswer>().or(of::<StandbyReady>()),
            ),
        Call::get("/livez").always().answers_with::<LiveAnswer>(),
        Call::get("/metrics").answers_text(&[CLASSIC, OPEN], text()),
        Call::get("/settings").answers_with::<SettingsAnswer>(),
        Call::get("/logs")
            .query::<LogsQuery>()
            .example(json!({"limit": 10, "level": "warn"}))
            .answers_with::<LogsAnswer>(),
        Call::get("/openapi.json")
            .always()
            .kept_by_clients()
            .answers_text(
                &["application/json"],
                json!({"type": "object", "additionalProperties": true}),
            ),
        Call::get("/docs")
            .always()
            .kept_by_clients()
            .answers_text(&[HTML], text()),
        Call::get("/docs/{file}")
            .always()
            .kept_by_clients()
            .path_words("file", &files)
            .example(json!({"file": "swagger-ui.css"}))
            .answers_text(&[STYLE, SCRIPT], text())
            .refuses(404, "There is no such file.")
            .refuses(
                406,
                "The file is stored compressed, and the client does not take gzip.",
            ),
        Call::get("/")
            .always()
            .kept_by_clients()
            .answers_text(&[HTML], text()),
        Call::get("/console/{set}/{file}")
            .always()
            .kept_by_clients()
            .path_words("file", &console_files)
            .example(json!({"set": SET, "file": "console.css"}))
            .answers_text(&[STYLE, SCRIPT], text())
            .refuses(404, "There is no such file.")
            .refuses(
                406,
                "The file is stored compressed, and the client does not take gzip.",
            ),
    ]
}
