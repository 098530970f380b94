//! What operators order about the orchestrators of one database: that a standby takes over, that the leader
//! steps down, that a member is forgotten.
//!
//! A take-over is ordered at the standby, so it is answered by every orchestrator for itself. The two others are
//! the leader's: a standby names the leader, as for any request about the fleet.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use log::warn;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::params;
use super::problem::Problem;
use super::requests::{StepDownRequest, TakeOverQuery, read_query};
use super::state::{AppState, Load};
use crate::actors::leadership::{
    ClusterView, ForgetError, NotProven, StepDownError, TakeOverOrder,
};
use crate::actors::refusal::Refusal;
use crate::domain::leadership::{ForgetRefusal, NodeName, Role, StepDownRefusal};
use crate::logging;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TakeOverAnswer {
    status: &'static str,
    node: String,
    message: String,
}

/// `POST /cluster/take-over`: orders a standby to lead.
pub(super) async fn take_over(
    view: Data<ClusterView>,
    request: HttpRequest,
) -> Result<Json<TakeOverAnswer>, Problem> {
    let query: TakeOverQuery = read_query(&request)?;
    let cluster = view.now();
    let me = &view.me().node;
    if let Some(barred) = &cluster.barred {
        return Err(Problem::conflict(format!(
            "`{me}` may not lead: {barred}. Nothing was changed."
        )));
    }
    match cluster.role {
        Role::Leading | Role::Loading => Err(Problem::conflict(format!(
            "`{me}` leads already; a take-over is ordered at a standby. GET /cluster lists them."
        ))),
        Role::Standby | Role::Candidate | Role::Joining => {
            warn!(reason = query.reason.as_str();
                "an operator ordered this orchestrator to take over: {}", query.reason);
            view.order_take_over(TakeOverOrder {
                reason: query.reason,
                origin: logging::current_origin(),
            });
            Ok(Json(TakeOverAnswer {
                status: "ordered",
                node: me.to_string(),
                message:
                    "This orchestrator takes over as soon as the database answers. GET /leader \
                          answers 200 once it leads."
                        .to_owned(),
            }))
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StepDownAnswer {
    status: &'static str,
    /// The orchestrator that steps down.
    node: String,
    /// The one that takes over.
    to: String,
    /// Where that one is reached.
    url: String,
    message: String,
}

/// `POST /cluster/step-down`: the leader hands its term over and goes on as a standby.
pub(super) async fn step_down(
    state: Data<AppState>,
    view: Data<ClusterView>,
    body: Body,
) -> Result<Json<StepDownAnswer>, Problem> {
    let _permit = state.admit(Load::Write)?;
    let request: StepDownRequest = body.read().await?;
    // The order ends the renewals, so the proof of its answer has to be there before.
    let prover = state.orchestrator().prover();
    let proof = prover.after(prover.moment()).await;
    proof.map_err(|NotProven| Problem::not_proven())?;
    let to = request.to.map(NodeName::new);
    let next = state
        .orchestrator()
        .step_down(to.as_ref(), &request.reason)?;
    Ok(Json(StepDownAnswer {
        status: "stepping_down",
        node: view.me().node.to_string(),
        message: format!(
            "`{}` takes over as soon as this orchestrator has saved what is under way. Its GET /leader \
             answers 200 once it leads.",
            next.node
        ),
        to: next.node.to_string(),
        url: next.url,
    }))
}

impl From<StepDownError> for Problem {
    fn from(error: StepDownError) -> Self {
        match error {
            StepDownError::Refused(refusal @ StepDownRefusal::Unknown { .. }) => {
                Self::invalid_field("to", refusal.to_string())
            }
            StepDownError::Refused(refusal) => Self::conflict(sentence(&refusal.to_string())),
            StepDownError::Alone => Self::conflict(sentence(&error.to_string())),
        }
    }
}

/// Begins with a capital, and ends with a dot.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ForgottenAnswer {
    status: &'static str,
    node: String,
}

/// `DELETE /cluster/members/{node}`: a member that is away is forgotten.
pub(super) async fn forget(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let node = params::node(&request)?;
    let _permit = state.admit(Load::Write)?;
    state.orchestrator().forget_member(&node).await?;
    Ok(HttpResponse::Ok().json(ForgottenAnswer {
        status: "forgotten",
        node: node.to_string(),
    }))
}

impl From<ForgetError> for Problem {
    fn from(error: ForgetError) -> Self {
        match error {
            ForgetError::Refused(refusal @ ForgetRefusal::Unknown { .. }) => {
                Self::unknown_member(refusal.to_string())
            }
            ForgetError::Refused(refusal) => Self::conflict(refusal.to_string()),
            ForgetError::Store(error) => {
                warn!(error:%; "a member could not be forgotten: {error}");
                Self::from(Refusal::StoreUnavailable)
            }
        }
    }
}
