//! Decides which requests reach a handler: before the fleet is loaded, and while the program stops.
//!
//! | phase | `/livez` | `/ready` | `/leader`, `/cluster`, `/cluster/take-over`, `/logs`, `/settings`, `/whoami`, `/session`, `/openapi.json`, `/docs`, `/`, `/console/…` | `/metrics` | everything else, unknown routes included |
//! | --- | --- | --- | --- | --- | --- |
//! | starting | 200 | 503 `not_ready` | their handlers | of the process alone | 503 with `Retry-After` |
//! | standby | 200 | 503 `standby`, with the leader | their handlers | of the process alone | 503 with `Retry-After` and the leader |
//! | serving | 200 | 200 | their handlers | of the fleet too | its handler |
//!
//! Never 404 while there is no fleet: workers stop all their streams when an answer says that they
//! are unknown. A handler finds an [`AppState`] because requests reach it only in the phase
//! `serving`. The phase is replaced as a whole, so a server may go back and forth.
//!
//! The gate counts the requests that are under way. Once it closes, each answer ends its
//! connection, and a body that has not arrived has [`BODY_GRACE`] to do so: a client that stopped
//! in the middle of a request does not delay the shutdown. When [`Gate::idle`] returns, every
//! answer has been written, except where the client does not read.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use futures_util::{Stream, StreamExt};
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, watch};

use super::access::Access;
use super::answer::Time;
use super::cluster;
use super::connection::ClientLimits;
use super::held_body::HeldBody;
use super::own_figures;
use super::problem::Problem;
use super::setting_list::ShownSetting;
use super::socket::Encryption;
use super::state::AppState;
use super::status;
use crate::actors::access::Keyring;
use crate::actors::leadership::ClusterView;
use crate::clock::Clock;
use crate::domain::time::WallTime;
use crate::tls::Tls;

/// How long the body of a request may still take to arrive once the gate closes.
const BODY_GRACE: Duration = Duration::from_secs(1);

/// Bodies up to this size are written together with the head; longer ones in pieces.
const WRITTEN_AT_ONCE: u64 = 32 * 1024;

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

    fn answer(&self, path: &str, clock: &Clock) -> HttpResponse {
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
    clock: Clock,
    cluster: ClusterView,
    limits: ClientLimits,
    access: Access,
    encryption: Arc<Encryption>,
    phase: RwLock<Phase>,
    settings: RwLock<Vec<ShownSetting>>,
    closing: watch::Sender<bool>,
    under_way: AtomicUsize,
    idle: Notify,
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
        Self::with_limits(cluster, Phase::Serving(state), limits, access)
    }
}

impl Gate {
    /// A gate in a phase, with the usual limits for clients, where no caller needs a key.
    pub fn new(cluster: ClusterView, phase: Phase) -> Self {
        let keyring = Keyring::new(cluster.clock().clone(), false);
        Self::guarded(cluster, phase, Access::new(keyring, Vec::new(), Vec::new()))
    }

    /// The same, with what callers are recognized by.
    pub fn guarded(cluster: ClusterView, phase: Phase, access: Access) -> Self {
        Self::with_limits(cluster, phase, ClientLimits::default(), access)
    }

    fn with_limits(
        cluster: ClusterView,
        phase: Phase,
        limits: ClientLimits,
        access: Access,
    ) -> Self {
        let encryption = Arc::new(Encryption::new(cluster.clock().clone()));
        Self {
            shared: Arc::new(Shared {
                clock: cluster.clock().clone(),
                cluster,
                limits,
                access,
                encryption,
                phase: RwLock::new(phase),
                settings: RwLock::default(),
                closing: watch::Sender::new(false),
                under_way: AtomicUsize::new(0),
                idle: Notify::new(),
            }),
        }
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
        *current.unwrap_or_else(PoisonError::into_inner) = phase;
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

    /// Begins to close: each answer ends its connection, and bodies have little time to arrive.
    pub fn close(&self) {
        self.shared.closing.send_replace(true);
    }

    /// Returns whether it is closing.
    fn is_closing(&self) -> bool {
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

    fn enter(&self) -> UnderWay {
        self.shared.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(self.clone())
    }

    /// Returns when a body that has not arrived is no longer waited for.
    fn end_of_patience(&self) -> Pin<Box<dyn Future<Output = ()>>> {
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
struct UnderWay(Gate);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let shared = &self.0.shared;
        if shared.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            shared.idle.notify_waiters();
        }
    }
}

/// Middleware, the outermost: answers itself if the phase has no handler for a request.
pub(super) async fn through_the_gate(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(gate) = request.app_data::<Gate>().cloned() else {
        return next.call(request).await;
    };
    let under_way = gate.enter();
    let mut data = Extensions::new();
    data.insert(Data::new(gate.shared.cluster.clone()));
    match gate.phase() {
        Phase::Starting(_) | Phase::Standby if is_own_page(request.path()) => {}
        Phase::Standby => {
            let answer = cluster::standby(&gate.shared.cluster, request.path());
            return Ok(finish(request.into_response(answer), &gate, under_way));
        }
        Phase::Starting(starting) => {
            let answer = starting.answer(request.path(), &gate.shared.clock);
            return Ok(finish(request.into_response(answer), &gate, under_way));
        }
        Phase::Serving(state) => {
            data.insert(Data::new(state.orchestrator().prover().clone()));
            data.insert(Data::new(state));
        }
    }
    request.add_data_container(Rc::new(data));
    let was_cut = limit_body(&mut request, &gate);
    let mut answer = next.call(request).await?;
    if was_cut.get() {
        answer = answer.into_response(Problem::shutting_down().error_response());
    }
    Ok(finish(answer, &gate, under_way))
}

/// Returns whether an orchestrator answers a path for itself, also while another one leads.
fn is_own_page(path: &str) -> bool {
    matches!(
        path,
        "/" | "/livez"
            | "/leader"
            | "/cluster"
            | "/cluster/take-over"
            | "/metrics"
            | "/logs"
            | "/settings"
            | "/whoami"
            | "/session"
            | "/openapi.json"
            | "/docs"
    ) || path.starts_with("/docs/")
        || path.starts_with("/console/")
}

fn finish(
    mut answer: ServiceResponse<BoxBody>,
    gate: &Gate,
    under_way: UnderWay,
) -> ServiceResponse<BoxBody> {
    if gate.is_closing() {
        let head = answer.response_mut().head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
    match answer.response().body().size() {
        BodySize::None => answer,
        BodySize::Sized(size) if size <= WRITTEN_AT_ONCE => answer,
        BodySize::Sized(_) | BodySize::Stream => {
            answer.map_body(|_, body| BoxBody::new(HeldBody::new(body, under_way)))
        }
    }
}

/// Ends the body of a request that does not arrive while the gate closes; the flag says whether
/// that happened.
fn limit_body(request: &mut ServiceRequest, gate: &Gate) -> Rc<Cell<bool>> {
    let was_cut = Rc::new(Cell::new(false));
    match request.take_payload() {
        Payload::None => {}
        payload => request.set_payload(Payload::Stream {
            payload: Box::pin(LimitedBody {
                payload,
                gate: gate.clone(),
                end_of_patience: None,
                was_cut: was_cut.clone(),
            }),
        }),
    }
    was_cut
}

struct LimitedBody {
    payload: Payload,
    gate: Gate,
    /// Created on the first wait: most bodies arrive with their head.
    end_of_patience: Option<Pin<Box<dyn Future<Output = ()>>>>,
    was_cut: Rc<Cell<bool>>,
}

impl Stream for LimitedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(piece) = self.payload.poll_next_unpin(cx) {
            return Poll::Ready(piece);
        }
        let Self {
            gate,
            end_of_patience,
            was_cut,
            ..
        } = &mut *self;
        let over = end_of_patience.get_or_insert_with(|| gate.end_of_patience());
        over.as_mut().poll(cx).map(|()| {
            was_cut.set(true);
            Some(Err(PayloadError::Incomplete(None)))
        })
    }
}
