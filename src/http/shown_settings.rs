//! The settings in force, also on a standby.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::gate::Gate;
use super::problem::Problem;
use super::setting_list::ShownSetting;
use super::state::{AppState, Load};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SettingsAnswer {
    settings: Vec<ShownSetting>,
}

/// `GET /settings`
pub(super) async fn settings(
    state: Option<Data<AppState>>,
    request: HttpRequest,
) -> Result<Json<SettingsAnswer>, Problem> {
    let _permit = state
        .as_ref()
        .map(|state| state.admit(Load::List))
        .transpose()?;
    let gate = request.app_data::<Gate>();
    Ok(Json(SettingsAnswer {
        settings: gate.map(Gate::settings).unwrap_or_default(),
    }))
}
