//! The settings of the operator: the only reader of the environment.
//!
//! Every setting is described once, in `table`; reading it, `--help`, the sample `.env`, the README's
//! table and the check for misspelt variables follow from there. Values are read in one pass that
//! collects every problem, then checked against each other, before anything else starts. Other rooms
//! get plain structs, one per concern, and never learn where a value came from.
//!
//! Uses `domain::settings`, where the numbers of the rules live, and `tls`, which reads certificates; nothing else
//! of the program.

mod access;
mod address;
mod cluster;
mod database;
mod dotenv;
mod duration;
mod listing;
mod load;
mod log;
mod origin;
mod postgres;
mod postgres_hosts;
mod problem;
mod reader;
mod rules;
mod scalar;
mod server_key;
mod server_url;
mod setting;
mod sources;
mod table;
mod tls;
mod typo;
mod values;
mod webhooks;

pub use access::AccessSettings;
pub use address::BindAddress;
pub use cluster::ClusterSettings;
pub use database::{DatabaseSettings, DatabaseUrl};
pub use listing::{markdown_table, sample};
pub use load::{Loaded, load, load_for_server};
pub use log::{DRIVER, LogFormat, LogSettings};
pub use origin::Origin;
pub use postgres::PostgresUrl;
pub use problem::{ConfigErrors, Problem, UnknownVariable, Warning};
pub use reader::EffectiveValue;
pub use server_key::{ServerKey, server_key};
pub use server_url::{CallerFiles, ServerUrl, caller_files, server_url, server_urls};
pub use setting::{Fallback, Group, Kind, Setting};
pub use table::{
    CLIENT_CERT, CLIENT_KEY, DEFAULT_SERVER_URL, SERVER_CA, SERVER_KEY, SERVER_URL, settings,
};
pub use values::{
    Config, HealthSettings, HeartbeatSettings, MetricsSettings, RecoverySettings,
    RegistrationSettings, RetentionSettings, ServerSettings,
};
pub use webhooks::WebhookSettings;
