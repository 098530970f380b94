//! A setting as it is shown: without passwords.

use serde::Serialize;
use utoipa::ToSchema;

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShownSetting {
    /// The variable that sets it.
    pub name: &'static str,
    /// Its value, without passwords.
    pub value: String,
    /// Where the value is from: a flag, the environment, `.env`, a default, another setting.
    pub origin: String,
    /// Whether SIGHUP applies a new value.
    pub reloadable: bool,
}
