//! Does its worker release what was taken from it (`domain/release_watch.rs`)? Looks at the fleet
//! when the machine asks for it, and keeps three alerts.
//!
//! An alert that an actor before this one has opened stays open until what is saved shows that it
//! is over: the clocks of this actor have only begun.

use actix::prelude::*;
use log::debug;

use super::actor::InstanceActor;
use super::reconciler::is_judged;
use super::releases::Reported;
use crate::actors::fleet::{Ask, Execute};
use crate::domain::alert::{AlertKind, overlap_unfinished, release_refused, runs_what_was_taken};
use crate::domain::commands::AbandonHandovers;
use crate::domain::fleet::Standing;
use crate::domain::heartbeat::Heartbeat;
use crate::domain::ids::{Incarnation, StreamId};
use crate::domain::queries::{Taken, TakenStreams};
use crate::domain::release_watch::{Hearing, Overdue};

impl InstanceActor {
    /// Judges how the worker releases what was taken from it.
    pub(super) fn watch_releases(&mut self, heartbeat: &Heartbeat, ctx: &mut Context<Self>) {
        if self.entry.is_fenced() {
            return;
        }
        let standing = self.entry.standing();
        if !is_judged(standing.status) {
            return;
        }
        let hearing = Hearing::of(heartbeat, &standing);
        let now = self.links.clock.now();
        let looks = self.releases.watch.heard(hearing, &standing, now);
        self.close_releases(&standing);
        if !looks || self.releases.is_looking {
            return;
        }
        self.releases.is_looking = true;
        let question = TakenStreams {
            id: self.entry.id().clone(),
            incarnation: standing.incarnation,
            running: heartbeat.running().cloned(),
        };
        let answer = self.links.fleet.send(Ask(question));
        ctx.spawn(answer.into_actor(self).map(move |taken, actor, ctx| {
            actor.releases.is_looking = false;
            // The next heartbeat asks again.
            if let Ok(Some(taken)) = taken {
                actor.looked(hearing, standing.incarnation, &taken, ctx);
            }
        }));
    }

    fn looked(
        &mut self,
        hearing: Hearing,
        life: Incarnation,
        taken: &Taken,
        ctx: &mut Context<Self>,
    ) {
        let standing = self.entry.standing();
        if standing.incarnation != life || !is_judged(standing.status) {
            return;
        }
        let now = self.links.clock.now();
        let overdue = self.releases.watch.looked(hearing, taken, &standing, now);
        self.report_releases(&overdue);
        // One alert reports it: while heartbeats are not judged, not `streams_differ`.
        if overdue.surplus.is_some() && hearing != Hearing::Judged {
            self.forget_difference();
        }
        self.close_releases(&standing);
        if !overdue.abandon.is_empty() && standing.withdrawn.is_none() {
            self.abandon(life, overdue.abandon, ctx);
        }
    }

    /// A worker that beats and has not released a stream for a whole timeout never will: it keeps
    /// the stream.
    fn abandon(
        &mut self,
        incarnation: Incarnation,
        streams: Vec<StreamId>,
        ctx: &mut Context<Self>,
    ) {
        let command = AbandonHandovers {
            id: self.entry.id().clone(),
            incarnation,
            streams,
        };
        let answer = self.links.fleet.send(Execute(command));
        ctx.spawn(answer.into_actor(self).map(|outcome, actor, _| {
            // The next look wants it again.
            if let Ok(Err(refusal)) = outcome {
                debug!(server_id = actor.entry.id().as_str(); "moves off the worker were not given up: {refusal}");
            }
        }));
    }

    fn report_releases(&mut self, overdue: &Overdue) {
        let id = self.entry.id();
        let releases = &mut self.releases;
        let limit = releases.watch.limits().overdue_after;
        let raise = |kind, detail| {
            releases.alerts.raise(kind, id.as_str(), detail);
            Reported::Here
        };
        if let Some(surplus) = &overdue.surplus {
            let detail = runs_what_was_taken(id, surplus);
            releases.surplus = raise(AlertKind::RunsWhatWasTaken, detail);
        }
        if !overdue.refused.is_empty() {
            let detail = release_refused(id, &overdue.refused, limit);
            releases.refused = raise(AlertKind::ReleaseRefused, detail);
        } else if releases.refused == Reported::Here {
            releases.refused = Reported::No;
            releases
                .alerts
                .clear(AlertKind::ReleaseRefused, id.as_str());
        }
        if !overdue.unfinished.is_empty() {
            let detail = overlap_unfinished(id, &overdue.unfinished, limit);
            releases.unfinished = raise(AlertKind::OverlapUnfinished, detail);
        } else if releases.unfinished == Reported::Here {
            releases.unfinished = Reported::No;
            releases
                .alerts
                .clear(AlertKind::OverlapUnfinished, id.as_str());
        }
    }

    /// `streams_differ` reports the worker's streams from now on.
    pub(super) fn difference_is_reported(&mut self) {
        self.releases.watch.forget_surplus();
        self.close_releases(&self.entry.standing());
    }

    /// What is saved about the instance has changed.
    pub(super) fn adopt_releases(&mut self, standing: &Standing, is_over: bool) {
        if is_over {
            self.releases.watch.forget();
        }
        self.releases.watch.adopt(standing);
        self.close_releases(standing);
    }

    /// Closes what is over by what is known already.
    fn close_releases(&mut self, standing: &Standing) {
        let id = self.entry.id().as_str();
        let releases = &mut self.releases;
        let reports_surplus = releases.watch.reports_surplus();
        let alerts = &releases.alerts;
        let close = |kind, reported: &mut Reported, is_over: bool| {
            if is_over && *reported != Reported::No {
                *reported = Reported::No;
                alerts.clear(kind, id);
            }
        };
        let kind = AlertKind::RunsWhatWasTaken;
        close(kind, &mut releases.surplus, !reports_surplus);
        let kind = AlertKind::ReleaseRefused;
        close(kind, &mut releases.refused, standing.releasing == 0);
        let kind = AlertKind::OverlapUnfinished;
        close(kind, &mut releases.unfinished, standing.lingering == 0);
    }
}
