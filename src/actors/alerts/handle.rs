//! The way to the book, for every actor that watches a condition.

use std::sync::Arc;

use actix::prelude::*;

use super::actor::{AlertBookActor, UpdateAlerts};
use crate::domain::alert::{AlertKind, News};

/// Where alerts are raised and cleared. Clones lead to the same book; there are some per instance,
/// and a clone of an address costs more than a hundred bytes, so they share one.
#[derive(Debug, Clone)]
pub struct Alerts(Arc<Addr<AlertBookActor>>);

impl Alerts {
    /// Leads to `book`.
    pub fn new(book: Addr<AlertBookActor>) -> Self {
        Self(Arc::new(book))
    }

    /// An operator should look at `subject`, as urgently as the rule of the kind says. Raising it again
    /// changes the sentence of the open alert.
    pub fn raise(&self, kind: AlertKind, subject: impl Into<String>, detail: impl Into<String>) {
        self.update(News::raise(kind, subject, detail));
    }

    /// If an alert about `subject` is open, this is how it is now.
    pub fn reword(&self, kind: AlertKind, subject: impl Into<String>, detail: impl Into<String>) {
        self.update(News::Reword {
            kind,
            subject: subject.into(),
            detail: detail.into(),
        });
    }

    /// It is over.
    pub fn clear(&self, kind: AlertKind, subject: impl Into<String>) {
        self.update(News::clear(kind, subject));
    }

    /// Changes the book.
    pub fn update(&self, news: News) {
        self.0.do_send(UpdateAlerts(news));
    }

    /// The actor itself, for questions.
    pub(in crate::actors) fn book(&self) -> &Addr<AlertBookActor> {
        &self.0
    }
}
