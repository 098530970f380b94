//! A standby of the database was promoted: the leader takes a new term there, or ends.
//!
//! The decision is that of `domain/leadership/promotion`. What it needs is collected here: the version that
//! the fleet acknowledged, and the word of each orchestrator that may have taken over.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use log::{debug, error, info, warn};
use tokio::select;
use tokio::time::{sleep, timeout};

use super::holding::{Hold, Restore, Resume};
use super::renewals::{Outcome, Renewals, State};
use crate::actors::fatal::Fatal;
use crate::domain::ids::Version;
use crate::domain::leadership::{
    Claim, ClaimRight, FleetMoment, LeadersWord, LeadershipRow, MemberAnswer, MembersWord,
    Promotion, ReleaseCause, RowState,
};
use crate::store::{Guard, Look, TakeOver, Taken};

/// How the fleet goes on, if the claim was carried out just now, on what was judged.
fn resume(taken: &Taken, judged: FleetMoment) -> Option<Resume> {
    let fleet = taken.fleet.as_ref();
    let fleet = fleet.filter(|fleet| fleet.moment == judged)?;
    Some(Resume {
        guard: taken.guard,
        counter: fleet.counter,
    })
}

impl Renewals {
    /// A renewal was answered on a newer timeline than that of the term, which proves nothing.
    pub(super) async fn promoted(&self, state: &mut State) -> Outcome {
        let limit = self.limits.statement_limit;
        // A transaction that is under way on a dead connection takes its time. The next renewal asks again.
        let Ok(Ok(Some(held))) = timeout(limit, self.holding.hold.send(Hold)).await else {
            debug!("a standby of the database was promoted, and a change is still under way");
            return Outcome::Failed;
        };
        let members = self.members_word(state).await;
        let Ok(Ok(Some(Look { row, origin, .. }))) = timeout(limit, self.row.look()).await else {
            return Outcome::Failed;
        };
        if (row.term, row.run) != (self.prover.term(), self.view.me().run) {
            // The next renewal finds the same, and says so.
            return Outcome::Failed;
        }
        let promotion = Promotion {
            term: row.term,
            timeline: origin.timeline,
            found: row.version,
            acknowledged: held.acknowledged,
            kept_since: held.kept_since,
            members,
        };
        let word = promotion.word();
        match word {
            LeadersWord::Intact(_) => {
                warn!("{promotion}: nothing is lost; taking a new term there");
            }
            LeadersWord::Restores(_) => {
                warn!("{promotion}: taking a new term there, and writing the lost changes again");
            }
            LeadersWord::Nothing => error!(
                "{promotion}: changes that were acknowledged are lost, or may be; this orchestrator ends, \
                 and the next leader starts no stream until all leases are over"
            ),
        }
        let known = held.acknowledged.max(self.view.highest_version());
        let sent = self.prover.moment();
        let claim = self.claim_of_own(&row, word, known);
        let taken = match self.row.take_over(&claim).await {
            Ok(TakeOver::Won(taken)) => Some(taken),
            Ok(TakeOver::Lost(row)) => {
                let node = row.node.as_str();
                error!(node; "the orchestrator `{node}` has taken the term on the promoted database");
                self.view.saw(row);
                None
            }
            Err(error) => {
                error!(error:%; "the term on the promoted database could not be taken: {error}");
                None
            }
        };
        // The removal of a mark may be lost as well.
        state.is_after_loss |= row.after_loss.is_some();
        // Without the counter of epochs the fleet cannot go on: the next start reads it.
        let new_term = taken.and_then(|taken| resume(&taken, promotion.moment()));
        if taken.is_some() && new_term.is_none() {
            error!(
                "the term is taken on the promoted database, and its fleet is not the one that was judged, or is not \
                 known; this orchestrator ends, and the next start reads the fleet"
            );
        }
        let resume = match (word, new_term) {
            (LeadersWord::Intact(_), Some(new_term)) => Some(new_term),
            (LeadersWord::Restores(_), Some(new_term)) => self.restore(state, &row, new_term).await,
            (LeadersWord::Nothing, _) | (_, None) => None,
        };
        let Some(resume) = resume else {
            self.fatal.send(Fatal::WentBack);
            return Outcome::Deposed;
        };
        self.go_on(row, resume).await;
        self.prover.takes(resume.guard.term, sent);
        Outcome::Renewed
    }

    /// Writes the lost changes again, and removes the mark that stands in the row meanwhile. Renews between
    /// them, so that no other orchestrator takes this one for dead.
    async fn restore(
        &self,
        state: &mut State,
        before: &LeadershipRow,
        Resume { guard, counter }: Resume,
    ) -> Option<Resume> {
        let mut restoring = pin!(self.holding.restore.send(Restore { guard, counter }));
        let run = self.view.me().run;
        let restored = loop {
            select! {
                biased;
                restored = &mut restoring => break restored,
                () = sleep(self.limits.renewal_interval) => {
                    // One that fails is made up for by the next one.
                    let _ = timeout(self.limits.statement_limit, self.row.renew(guard.term, run)).await;
                }
            }
        };
        match restored {
            Ok(Ok(whole)) => {
                let count = whole.version.get() - guard.version.get();
                info!(count; "{count} lost changes are written again: version {}", whole.version);
                state.is_after_loss = true;
                if before.after_loss.is_none() {
                    self.remove_mark(state, guard.term).await;
                }
                Some(Resume {
                    guard: whole,
                    counter,
                })
            }
            Ok(Err(error)) => {
                error!(error:%; "the lost changes could not be written again: {error}");
                None
            }
            // An actor that is gone ends the process.
            Err(_) => None,
        }
    }

    async fn go_on(&self, row: LeadershipRow, resume: Resume) {
        let Guard { term, version } = resume.guard;
        self.view.saw(LeadershipRow {
            term,
            beat: 0,
            state: RowState::Held,
            successor: None,
            release_cause: ReleaseCause::Ended,
            since: self.clock.wall(),
            version,
            ..row
        });
        // An actor that is gone ends the process.
        let _ = self.holding.resume.send(resume).await;
        info!(term = term.get(); "leading on under term {term}");
    }

    fn claim_of_own(&self, row: &LeadershipRow, word: LeadersWord, known: Version) -> Claim {
        let me = self.view.me();
        Claim {
            node: me.node.clone(),
            run: me.run,
            address: me.address.clone(),
            public_url: me.public_url.clone(),
            secret: me.secret.clone(),
            since: self.clock.wall(),
            seen_term: row.term,
            seen_beat: row.beat,
            right: ClaimRight::Tables,
            word,
            known,
        }
    }

    /// Asks every orchestrator that may have taken over whether it knows a higher term.
    async fn members_word(&self, state: &State) -> MembersWord {
        let Some(proven) = &state.proven_members else {
            return MembersWord::NotRead;
        };
        let questions = state.admission.entitled().into_iter().map(|member| {
            // A process that was read after the newest proof may follow one that has taken over since.
            let known = proven.iter().find(|known| known.node == member.node);
            let run = known.unwrap_or(&member).run;
            async move { (member.node, run, self.ask_terms(member.address).await) }
        });
        MembersWord::of(self.prover.term(), join_all(questions).await)
    }

    async fn ask_terms(&self, address: String) -> Option<MemberAnswer> {
        let limit: Duration = self.limits.statement_limit;
        let neighbours = self.neighbours.as_ref()?;
        neighbours.ask_terms(address, limit).await
    }
}
