//! Watches when the certificates in use end (`domain/certificate`).
//!
//! It is told which certificates are in use, at the start and whenever they are replaced. It judges them at once,
//! and then every minute: the world's clock may jump, so the end is no deadline of running time.

use std::time::Duration;

use actix::prelude::*;

use super::alarm::Alarm;
use super::alerts::Alerts;
use super::fatal::Vital;
use crate::clock::Clock;
use crate::domain::certificate::{Expiry, verdict};

/// The time between two judgements.
const INTERVAL: Duration = Duration::from_secs(60);

/// Watches when certificates end.
#[derive(Debug)]
pub struct CertificateWatch {
    alerts: Alerts,
    clock: Clock,
    in_use: Vec<Expiry>,
    alarm: Alarm<Self>,
    _vital: Vital,
}

impl CertificateWatch {
    /// Creates the actor; it knows of no certificate.
    pub fn new(alerts: Alerts, clock: Clock, vital: Vital) -> Self {
        Self {
            alerts,
            clock,
            in_use: Vec::new(),
            alarm: Alarm::of_waits(|actor| &mut actor.alarm, Self::judge),
            _vital: vital,
        }
    }

    fn judge(&mut self, ctx: &mut Context<Self>) {
        for news in verdict(&self.in_use, self.clock.wall()) {
            self.alerts.update(news);
        }
        if !self.in_use.is_empty() {
            let next = self.clock.awake() + INTERVAL;
            self.alarm.set_by(next, &self.clock, ctx);
        }
    }
}

impl Actor for CertificateWatch {
    type Context = Context<Self>;
}

/// These certificates are in use, and no others.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct CertificatesInUse(pub Vec<Expiry>);

impl Handler<CertificatesInUse> for CertificateWatch {
    type Result = ();

    fn handle(&mut self, CertificatesInUse(in_use): CertificatesInUse, ctx: &mut Self::Context) {
        self.in_use = in_use;
        self.judge(ctx);
    }
}
