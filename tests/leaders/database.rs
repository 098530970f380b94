//! One process's view of the leadership row: statements are late, lost, or carried out without an
//! answer. What arrived is carried out by the database, also while the process that sent it is stopped
//! or after it was killed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use resilient_orchestrator::clock::Clock;
use resilient_orchestrator::domain::ids::{Incarnation, Term};
use resilient_orchestrator::domain::leadership::{
    AdmissionStep, Claim, ClaimRight, Life, MemberRow, NodeName, ReleaseCause, RunId, Witness,
};
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::store::{
    Guard, Leadership, Look, Member, MemoryStore, Release, Renewal, StoreError, TakeOver, Taken,
};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::faults::FaultyStore;
use crate::scene::Mutation;
use crate::world::HORIZON;

/// When a term was taken, by true time, and for how long the leader before may be sure of its own.
#[derive(Debug, Clone, Copy)]
struct Begun {
    at: WallTime,
    hold: Duration,
}

/// Who led when.
#[derive(Debug, Clone, Default)]
pub(crate) struct Truth {
    terms: Arc<Mutex<BTreeMap<Term, Begun>>>,
}

impl Truth {
    fn terms(&self) -> MutexGuard<'_, BTreeMap<Term, Begun>> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest term; zero before the first.
    pub(crate) fn newest(&self) -> Term {
        let terms = self.terms();
        let newest = terms.last_key_value();
        newest.map_or(Term::new(0), |(term, _)| *term)
    }

    /// When this term ended, if it did: the next one was taken, and its leader cannot be sure of it any
    /// more.
    pub(crate) fn ended(&self, term: Term) -> Option<WallTime> {
        let terms = self.terms();
        let mut newer = terms.range(Term::new(term.get() + 1)..);
        newer.next().map(|(_, taken)| taken.at + taken.hold)
    }

    pub(crate) fn count(&self) -> usize {
        self.terms().len()
    }

    /// Terms that were not taken in their order.
    pub(crate) fn disorder(&self) -> Option<String> {
        let terms = self.terms();
        let mut pairs = terms.iter().zip(terms.iter().skip(1));
        let broken = pairs.find(|((_, earlier), (_, later))| earlier.at > later.at);
        broken.map(|pair| format!("I12: terms were taken out of order: {pair:?}"))
    }
}

/// The cable between one process and the database.
#[derive(Debug)]
struct Cable {
    rng: fastrand::Rng,
    is_cut: bool,
    /// How many statements of a thousand are slow or lost.
    storminess: u32,
    loses_claims: bool,
    /// What the process read ahead counts as the fleet that it takes over: a broken rule.
    believes_copies_of: Option<FaultyStore>,
    /// How it misreads what the other orchestrator heard: a broken rule.
    mutation: Option<Mutation>,
}

/// The row as one process sees it. Clones see the same.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    database: MemoryStore,
    truth: Truth,
    /// True time.
    clock: Clock,
    limit: Duration,
    cable: Arc<Mutex<Cable>>,
    /// Counts the renewals that were answered.
    renewed: watch::Sender<u64>,
}

impl Row {
    pub(crate) fn new(
        database: MemoryStore,
        truth: Truth,
        clock: Clock,
        limit: Duration,
        seed: u64,
    ) -> Self {
        Self {
            database,
            truth,
            clock,
            limit,
            cable: Arc::new(Mutex::new(Cable {
                rng: fastrand::Rng::with_seed(seed),
                is_cut: false,
                storminess: 0,
                loses_claims: false,
                believes_copies_of: None,
                mutation: None,
            })),
            renewed: watch::Sender::new(0),
        }
    }

    fn cable(&self) -> MutexGuard<'_, Cable> {
        self.cable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn cut(&self, is_cut: bool) {
        self.cable().is_cut = is_cut;
    }

    /// Claims are carried out from now on, and not answered.
    pub(crate) fn lose_answers_of_claims(&self) {
        self.cable().loses_claims = true;
    }

    /// A broken rule: whatever was read from this store last is taken for the fleet of the take-over.
    pub(crate) fn believe_copies_of(&self, store: FaultyStore) {
        self.cable().believes_copies_of = Some(store);
    }

    /// A broken rule: what the other orchestrator heard is not read, or not as it is.
    pub(crate) fn misread(&self, mutation: Option<Mutation>) {
        self.cable().mutation = mutation;
    }

    fn believed(&self) -> Option<Guard> {
        let store = self.cable().believes_copies_of.clone()?;
        store.reads().last().copied()
    }

    pub(crate) fn set_storminess(&self, storminess: u32) {
        self.cable().storminess = storminess;
    }

    /// Hears of each renewal that is answered.
    pub(crate) fn renewals(&self) -> watch::Receiver<u64> {
        self.renewed.subscribe()
    }

    /// How long a statement or an answer is on its way; none if it is lost.
    fn way(&self) -> Option<Duration> {
        let mut cable = self.cable();
        let (is_cut, storminess) = (cable.is_cut, cable.storminess);
        let dice = cable.rng.u32(0..1_000);
        let millis = if dice < storminess {
            cable.rng.u64(0..1_000)
        } else {
            cable.rng.u64(1..30)
        };
        let is_lost = is_cut || dice < storminess / 4;
        (!is_lost).then(|| Duration::from_millis(millis))
    }

    /// Sends a statement; none if it was not answered within the limit.
    async fn send<T, F>(
        &self,
        statement: impl FnOnce(MemoryStore) -> F + Send + 'static,
    ) -> Option<Result<T, StoreError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let (way, view) = (self.way(), self.clone());
        // In none of the processes: this is the network and the database.
        tokio::spawn(async move {
            let mut sender = sender;
            let Some(way) = way else {
                return sender.closed().await;
            };
            sleep(way).await;
            let result = statement(view.database.clone()).await;
            let Some(way) = view.way() else {
                return sender.closed().await;
            };
            sleep(way).await;
            let _ = sender.send(result);
        });
        timeout(self.limit, answer).await.ok()?.ok()
    }

    async fn read<T, F>(
        &self,
        statement: impl FnOnce(MemoryStore) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let lost = || StoreError::Unavailable("not answered in time".to_owned());
        self.send(statement).await.ok_or_else(lost)?
    }

    async fn write<T, F>(
        &self,
        statement: impl FnOnce(MemoryStore) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let lost = || StoreError::InDoubt("not answered in time".to_owned());
        self.send(statement).await.ok_or_else(lost)?
    }
}

#[async_trait]
impl Leadership for Row {
    async fn look(&self) -> Result<Option<Look>, StoreError> {
        let mut found = self.read(|row| async move { row.look().await }).await;
        if let (Ok(Some(look)), Some(read)) = (&mut found, self.believed()) {
            look.row.version = read.version;
        }
        found
    }

    async fn join(&self, member: &Member) -> Result<(), StoreError> {
        let member = member.clone();
        self.write(|row| async move { row.join(&member).await })
            .await
    }

    async fn take_over(&self, claim: &Claim) -> Result<TakeOver, StoreError> {
        let (claim, truth, clock) = (claim.clone(), self.truth.clone(), self.clock.clone());
        let outcome = self.write(|row| async move {
            let members = row.members().await?;
            let is_known = members
                .iter()
                .any(|member| member.node == claim.node && member.is_admitted);
            let outcome = row.take_over(&claim).await?;
            if let TakeOver::Won(Taken { guard, .. }) = &outcome {
                // A leader that thinks it is alone is sure of its term for so long.
                let hold = if claim.right == ClaimRight::Order && !is_known {
                    HORIZON
                } else {
                    Duration::ZERO
                };
                let taken = Begun {
                    at: clock.wall(),
                    hold,
                };
                truth.terms().entry(guard.term).or_insert(taken);
            }
            Ok(outcome)
        });
        let mut outcome = outcome.await;
        if self.cable().loses_claims {
            return Err(StoreError::InDoubt("not answered".to_owned()));
        }
        let read = self.believed();
        if let (
            Ok(TakeOver::Won(Taken {
                fleet: Some(fleet), ..
            })),
            Some(read),
        ) = (&mut outcome, read)
        {
            (fleet.moment.term, fleet.moment.version) = (read.term, read.version);
        }
        outcome
    }

    async fn renew(&self, term: Term, run: RunId) -> Result<Renewal, StoreError> {
        let renewal = self.write(move |row| async move { row.renew(term, run).await });
        let renewal = renewal.await;
        if matches!(renewal, Ok(Renewal::Proven { .. })) {
            self.renewed.send_modify(|count| *count += 1);
        }
        renewal
    }

    async fn members(&self) -> Result<Vec<MemberRow>, StoreError> {
        let mut members = self.read(|row| async move { row.members().await }).await?;
        if self.cable().mutation == Some(Mutation::InflatesHears) {
            for member in &mut members {
                member.reach.hears *= 10;
            }
        }
        Ok(members)
    }

    async fn admit(
        &self,
        term: Term,
        run: RunId,
        step: &AdmissionStep,
    ) -> Result<bool, StoreError> {
        let step = step.clone();
        self.write(move |row| async move { row.admit(term, run, &step).await })
            .await
    }

    async fn forget(&self, term: Term, run: RunId, member: &MemberRow) -> Result<bool, StoreError> {
        let member = member.clone();
        self.write(move |row| async move { row.forget(term, run, &member).await })
            .await
    }

    async fn end_loss(&self, term: Term, run: RunId) -> Result<bool, StoreError> {
        self.write(move |row| async move { row.end_loss(term, run).await })
            .await
    }

    async fn witness(&self, node: &NodeName, beats: &[Witness]) -> Result<(), StoreError> {
        let (node, beats, clock) = (node.clone(), beats.to_vec(), self.clock.clone());
        self.write(move |row| async move {
            row.set_database_time(clock.wall());
            row.witness(&node, &beats).await
        })
        .await
    }

    async fn witnessed(&self, lives: &[Life]) -> Result<Vec<Witness>, StoreError> {
        let (mut lives, clock) = (lives.to_vec(), self.clock.clone());
        let mutation = self.cable().mutation;
        if mutation == Some(Mutation::IgnoresWitnesses) {
            return Ok(Vec::new());
        }
        if mutation == Some(Mutation::InflatesHears) {
            let all = lives.into_iter().map(|life| Witness {
                id: life.id,
                incarnation: Some(life.incarnation),
                age: Duration::ZERO,
            });
            return Ok(all.collect());
        }
        let is_bent = mutation == Some(Mutation::CountsOtherLives);
        if is_bent {
            for life in &mut lives {
                life.incarnation = Incarnation::new(life.incarnation.get() - 1);
            }
        }
        let found = self.read(move |row| async move {
            row.set_database_time(clock.wall());
            row.witnessed(&lives).await
        });
        let mut found = found.await?;
        if is_bent {
            for witness in &mut found {
                witness.incarnation = None;
            }
        }
        Ok(found)
    }

    async fn release(
        &self,
        term: Term,
        run: RunId,
        successor: Option<&NodeName>,
        cause: ReleaseCause,
    ) -> Result<Release, StoreError> {
        let successor = successor.cloned();
        self.write(
            move |row| async move { row.release(term, run, successor.as_ref(), cause).await },
        )
        .await
    }
}
