//! The tables of receivers and deliveries.

use std::collections::BTreeMap;

use crate::domain::ids::AlertId;
use crate::domain::webhook::{Announced, Delivery};
use crate::store::webhooks::StoredWebhook;

/// The tables of receivers and deliveries, and the marks of alerts.
#[derive(Debug, Default)]
pub(super) struct WebhookTables {
    pub(super) targets: BTreeMap<String, StoredWebhook>,
    pub(super) deliveries: BTreeMap<(String, String), Delivery>,
    pub(super) announced: BTreeMap<AlertId, Announced>,
}

impl WebhookTables {
    pub(super) fn mark(&mut self, id: AlertId, mark: Announced) {
        let known = self.announced.entry(id).or_insert(Announced::Nothing);
        *known = mark.max(*known);
    }
}
