//! Decides which requests reach a handler: before the fleet is loaded, and while the program stops.
//!
//! | phase | `/livez` | `/ready` | `/health` | `/leader`, `/cluster`, `/cluster/take-over`, `/logs`, `/settings`, `/whoami`, `/session`, `/openapi.json`, `/docs`, `/`, `/console/…` | `/metrics` | everything else, unknown routes included |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | starting | 200 | 503 `not_ready` | 503 | their handlers | of the process alone | 503 with `Retry-After` |
//! | standby | 200 | 200 while a proven leader is reached, else 503 `standby` with the leader | 200 while heartbeats are answered | their handlers | of the process alone | carried to the leader (`forwarding`) |
//! | serving | 200 | 200 | 200 | their handlers | of the fleet too | its handler |
//!
//! A process that has stood by carries requests also while it takes over; those that wait are answered by
//! itself once it serves. Never 404 while there is no fleet: workers stop all their streams when an answer says
//! that they are unknown. A request that another orchestrator carries is never carried again: a receiver that
//! does not lead answers 503. A handler finds an [`AppState`] because requests reach it only in the phase
//! `serving`. The phase is replaced as a whole. A gate goes from starting or standby to serving, and at most once from
//! there to standby, before it closes: a process that goes on as a standby has a new gate (`app/role.rs`).
//!
//! The gate counts the requests that are under way. Once it closes, each answer ends its
//! connection, and a body that has not arrived has [`BODY_GRACE`] to do so: a client that stopped
//! in the middle of a request does not delay the shutdown. When [`Gate::idle`] returns, every
//! answer has been written, except where the client does not read.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, watch};

use super::access::Access;
use super::answer::Time;
use super::connection::ClientLimits;
use super::forwarding::Forwarder;
use super::own_figures;
use super::problem::Problem;
use super::setting_list::ShownSetting;
use super::socket::Encryption;
use super::state::{AppState, HttpSettings};
use super::status;
use crate::actors::access::{KeyDemand, Keyring};
use crate::actors::leadership::ClusterView;
use crate::clock::Clock;
use crate::domain::leadership::CarryLimits;
use crate::domain::time::WallTime;
use crate::tls::Tls;

/// How long the body of a request may still take to arrive once the gate closes.
const BODY_GRACE: Duration = Duration::from_secs(1);

/// Which requests the program can answer at the moment.
#[derive(Debug, Clone)]
pub enum Phase {
    /// The fleet is not loaded yet.
    Starting(Starting),
    /// Another orchestrator leads; this one takes over if it ends.
    Standby,
    /// The fleet is there.
    Serving(AppState),
}

/// A start that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Starting {
    /// The obstacle it waits for.
    pub awaited: Awaited,
    /// The moment at which the wait began.
    pub since: WallTime,
    /// When the next step is due at the earliest, as the age of the clock.
    pub next_step_at: Duration,
}

/// The obstacle of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// The database does not answer yet.
    Database,
    /// The fleet is being loaded.
    Fleet,
}

impl Starting {
    fn detail(&self) -> String {
        let since = Time(self.since);
        match self.awaited {
            Awaited::Database => format!(
                "The orchestrator is starting: it waits for its database since {since}. Try again \
                 soon; nothing was changed."
            ),
            Awaited::Fleet => format!(
                "The orchestrator is starting: it loads the fleet since {since}. Try again soon; \
                 nothing was changed."
            ),
        }
    }

    pub(super) fn answer(&self, path: &str, clock: &Clock) -> HttpResponse {
        let wait = self.next_step_at.saturating_sub(clock.since_made());
        let retry_after = wait.as_secs() + 1;
        if path == "/ready" {
            let has_database = self.awaited == Awaited::Fleet;
            return status::not_ready_yet(clock.wall(), has_database, self.since, retry_after);
        }
        let mut answer = Problem::starting(self.detail()).error_response();
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        answer
    }
}

/// Decides which requests reach a handler. Clones are the same gate.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: ClusterView,
    limits: ClientLimits,
    access: Access,
    encryption: Arc<Encryption>,
    phase: RwLock<Phase>,
    settings: RwLock<Vec<ShownSetting>>,
    closing: watch::Sender<bool>,
    forwarder: Arc<Forwarder>,
    under_way: AtomicUsize,
    idle: Notify,
    /// How many calls that are no reads the fleet answers here.
    at_the_fleet: AtomicUsize,
    none_at_the_fleet: Notify,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}

impl From<AppState> for Gate {
    fn from(state: AppState) -> Self {
        let cluster = state.orchestrator().cluster().clone();
        let limits = state.settings().client;
        let keyring = state.orchestrator().keyring().clone();
        let access = Access::new(keyring, Vec::new(), Vec::new());
        Self::with_limits(
            cluster,
            Phase::Serving(state),
            limits,
            access,
            usual_limits(),
        )
    }
}

impl Gate {
    /// A gate in a phase, with the usual limits, where no caller needs a key.
    pub fn new(cluster: ClusterView, phase: Phase) -> Self {
        let keyring = Keyring::new(cluster.clock().clone(), KeyDemand::NotRequired);
        let access = Access::new(keyring, Vec::new(), Vec::new());
        Self::guarded(cluster, phase, access)
    }

    /// The same, with what callers are recognized by.
    pub fn guarded(cluster: ClusterView, phase: Phase, access: Access) -> Self {
        Self::carrying(cluster, phase, access, usual_limits())
    }

    /// The same, which carries requests by these limits while it stands by.
    pub fn carrying(
        cluster: ClusterView,
        phase: Phase,
        access: Access,
        carry: CarryLimits,
    ) -> Self {
        Self::with_limits(cluster, phase, ClientLimits::default(), access, carry)
    }

    fn with_limits(
        cluster: ClusterView,
        phase: Phase,
        limits: ClientLimits,
        access: Access,
        carry: CarryLimits,
    ) -> Self {
        let encryption = Arc::new(Encryption::new(cluster.clock().clone()));
        let forwarder = Arc::new(Forwarder::new(cluster.clone(), carry));
        note_phase(&forwarder, &phase);
        Self {
            shared: Arc::new(Shared {
                cluster,
                limits,
                access,
                encryption,
                phase: RwLock::new(phase),
                settings: RwLock::default(),
                closing: watch::Sender::new(false),
                forwarder,
                under_way: AtomicUsize::new(0),
                idle: Notify::new(),
                at_the_fleet: AtomicUsize::new(0),
                none_at_the_fleet: Notify::new(),
            }),
        }
    }

    /// Notes that this process led until now: what another orchestrator carries here waits for the next leader.
    pub fn has_led(&self) {
        self.shared.forwarder.has_led();
    }

    /// Notes that the process goes on as a standby once this server has ended: what waits for a leader waits on.
    pub fn go_on(&self) {
        self.shared.forwarder.go_on();
    }

    /// Returns what callers are recognized by.
    pub(super) fn access(&self) -> &Access {
        &self.shared.access
    }

    /// Returns how long it waits for clients.
    pub(super) fn client_limits(&self) -> ClientLimits {
        self.shared.limits
    }

    /// From here on TLS is spoken by a server that is started for this gate. What is in force can be replaced in
    /// the value itself; a second call changes nothing.
    pub fn speak_tls(&self, tls: Tls) {
        self.shared.encryption.begin(tls);
    }

    /// Returns the certificates in force; `None` if HTTP is spoken without TLS.
    pub fn tls(&self) -> Option<&Tls> {
        self.shared.encryption.tls()
    }

    /// Registers the figures of TLS, which are there before the fleet is.
    pub fn register_figures(&self, registry: &mut Registry) {
        own_figures::register_tls(registry, self.encryption());
    }

    /// Returns what all connections share.
    pub(super) fn encryption(&self) -> Arc<Encryption> {
        self.shared.encryption.clone()
    }

    /// Replaces the phase; requests under way go on in the one they found.
    pub fn set(&self, phase: Phase) {
        let current = self.shared.phase.write();
        let mut current = current.unwrap_or_else(PoisonError::into_inner);
        note_phase(&self.shared.forwarder, &phase);
        *current = phase;
    }

    /// Returns who leads, as this process knows it.
    pub(super) fn cluster(&self) -> &ClusterView {
        &self.shared.cluster
    }

    /// Returns what carried requests share.
    pub(super) fn forwarder(&self) -> &Arc<Forwarder> {
        &self.shared.forwarder
    }

    /// Returns the phase.
    pub fn phase(&self) -> Phase {
        let phase = self.shared.phase.read();
        phase.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets what `/settings` shows.
    pub fn show_settings(&self, settings: Vec<ShownSetting>) {
        let shown = self.shared.settings.write();
        *shown.unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Returns the settings in force.
    pub(super) fn settings(&self) -> Vec<ShownSetting> {
        let shown = self.shared.settings.read();
        shown.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins to hand over: orders wait until this process stands by, and everything else is answered.
    pub fn freeze(&self) {
        self.shared.forwarder.freeze();
    }

    /// Begins to close: each answer ends its connection, and bodies have little time to arrive.
    pub fn close(&self) {
        self.shared.closing.send_replace(true);
        self.shared.forwarder.close();
    }

    /// Returns whether it is closing.
    pub(super) fn is_closing(&self) -> bool {
        *self.shared.closing.borrow()
    }

    /// Returns once no request is under way. More requests may come afterwards.
    pub async fn idle(&self) {
        loop {
            let mut idle = std::pin::pin!(self.shared.idle.notified());
            idle.as_mut().enable();
            if self.shared.under_way.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }

    /// Returns once the fleet answers no more heartbeats and other calls here. More may come unless the phase is another
    /// one by now. Reads are not waited for, because they may take long.
    pub async fn left_the_fleet(&self) {
        loop {
            let mut left = std::pin::pin!(self.shared.none_at_the_fleet.notified());
            left.as_mut().enable();
            if self.shared.at_the_fleet.load(Ordering::SeqCst) == 0 {
                return;
            }
            left.await;
        }
    }

    /// Counts a call for which the fleet is about to be asked, before the phase is read.
    pub(super) fn approach_the_fleet(&self) -> AtTheFleet {
        self.shared.at_the_fleet.fetch_add(1, Ordering::SeqCst);
        AtTheFleet(self.clone())
    }

    /// Counts a request that is under way.
    pub(super) fn enter(&self) -> UnderWay {
        self.shared.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(self.clone())
    }

    /// Returns when a body that has not arrived is no longer waited for.
    pub(super) fn end_of_patience(&self) -> Pin<Box<dyn Future<Output = ()>>> {
        let mut closing = self.shared.closing.subscribe();
        Box::pin(async move {
            if closing.wait_for(|is_closing| *is_closing).await.is_ok() {
                tokio::time::sleep(BODY_GRACE).await;
            } else {
                std::future::pending().await
            }
        })
    }
}

/// A request that is under way until this is dropped.
pub(super) struct UnderWay(Gate);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let shared = &self.0.shared;
        if shared.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            shared.idle.notify_waiters();
        }
    }
}

/// A call that the fleet answers until this is dropped.
pub(super) struct AtTheFleet(Gate);

impl Drop for AtTheFleet {
    fn drop(&mut self) {
        let shared = &self.0.shared;
        if shared.at_the_fleet.fetch_sub(1, Ordering::SeqCst) == 1 {
            shared.none_at_the_fleet.notify_waiters();
        }
    }
}

/// The limits of a gate that was given none.
fn usual_limits() -> CarryLimits {
    let request = HttpSettings::default().worker_limits.request_timeout;
    CarryLimits::new(request, Duration::from_millis(500), Duration::from_secs(1))
}

fn note_phase(forwarder: &Forwarder, phase: &Phase) {
    match phase {
        Phase::Starting(_) => {}
        Phase::Standby => forwarder.stand_by(),
        // The requests that wait see the phase once they wake, because the caller holds its lock.
        Phase::Serving(_) => forwarder.lead(),
    }
}
