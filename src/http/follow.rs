//! Events as they happen, as server-sent events.
//!
//! ```text
//!             first frame              page by page             caught up
//!   opening ──────────────▶ catching up ───────────▶ following ──────────────┐
//!                               │                       │  ▲   event, or a   │
//!                               │                       │  └── comment ──────┘
//!                               └──────── over ◀────────┘
//!                 stop, client gone, store out      the same, or lagged
//! ```
//!
//! The answer follows the announcements before it reads older events from the store, and skips those that it
//! has sent. So it sends each event once, in the order of the numbers.
//!
//! | what | consequence |
//! | --- | --- |
//! | nothing happens for [`COMMENT_INTERVAL`] | a comment, so that proxies and clients know that the connection lives |
//! | it asked for `figures` or `beats`, and one changes | a frame without a number (`figures.rs`): it is no event, and no client resumes after it |
//! | the client reads too slowly, and announcements are lost | a last frame `lagged`, then the end |
//! | the moment of `to` has come | the end, after the next comment at the latest |
//! | the client reads nothing | the connection ends (`connection/mod.rs`) |
//! | the store does not answer while it catches up | the end: the client tries again |
//! | the key or session of the caller is revoked, ended or expires | the end, at once |
//! | the program stops, or another orchestrator has taken over | the end, at once |
//!
//! Whatever ended it, the client resumes with the last number that it got: `EventSource` sends it as
//! `Last-Event-ID` by itself. The first frame has a number too, so that a client which got no event yet
//! misses none.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::access::Sender;
use super::connection::{Connection, MAX_PIECE};
use super::events::EventAnswer;
use super::figures::Pulse;
use super::problem::Problem;
use super::requests::{FollowQuery, MAX_SAFE_INTEGER, parse_integer, read_query};
use super::state::AppState;
use crate::actors::archive::StoredEvent;
use crate::actors::event_tail::AnnouncedEvent;
use crate::domain::event_filter::{EventFilter, EventOrder};
use crate::domain::time::WallTime;

/// The longest silence of an answer.
const COMMENT_INTERVAL: Duration = Duration::from_secs(15);

/// How many older events are read at once.
const PAGE: u32 = 100;

/// After how long a client that lost its connection tries again, in milliseconds.
const RETRY_MS: u32 = 1_000;

/// The name of the header that names the last event a client got.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// `GET /resilience/events/stream`
pub(super) async fn follow(
    state: Data<AppState>,
    sender: Sender,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query: FollowQuery = read_query(&request)?;
    let resumed = last_event_id(&request)?;
    let named = if resumed.is_some() {
        LAST_EVENT_ID
    } else {
        "after"
    };
    let after = resumed.or(query.after);
    let seat = state.admit_follower()?;
    let announcements = state.orchestrator().follow_events().await?;
    let newest = announcements.newest;
    let now = state.orchestrator().clock().wall();
    let pulse = Pulse::begin(&state, query.figures.unwrap_or(false), query.beats.clone());
    let mut filter = query.filter(now);
    let start = beginning(&state, (named, after), filter.from, newest).await?;
    if resumed.is_some() || after.is_none() {
        // `from` says where a new stream begins, and no more.
        filter.from = None;
    }
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header(("X-Accel-Buffering", "no"));
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let mut comments = interval(COMMENT_INTERVAL);
    comments.set_missed_tick_behavior(MissedTickBehavior::Delay);
    comments.reset();
    let follower = Follower {
        state: state.get_ref().clone(),
        filter,
        seen: start,
        stage: Stage::Opening {
            is_behind: start < newest,
        },
        events: announcements.events,
        comments,
        pulse,
        connection: Connection::of(&request),
        sender,
        _seat: seat,
    };
    let frames = stream::unfold(follower, |mut follower| async {
        let frame = follower.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(frame)), follower))
    });
    Ok(response.streaming(Box::pin(frames)))
}

/// Returns the place after which an answer begins: the one that is named, else the one before the first event
/// of `from`, else the newest one.
async fn beginning(
    state: &AppState,
    (named, after): (&str, Option<i64>),
    from: Option<WallTime>,
    newest: i64,
) -> Result<i64, Problem> {
    let archive = state.orchestrator().archive();
    match (after, from) {
        (Some(after), _) if after <= newest => Ok(after),
        // The announcements may be a moment behind the store.
        (Some(after), _) => {
            let last = EventFilter {
                order: EventOrder::Descending,
                ..EventFilter::default()
            };
            let found = archive.find_events(last, 1).await?;
            match found.first().map(|event| event.sequence) {
                Some(newest) if after > newest => Err(Problem::invalid_field(
                    named,
                    format!(
                        "is {after}, and the newest event has the id {newest}; leave it out to get what \
                         comes, or name an event that exists"
                    ),
                )),
                Some(_) => Ok(after),
                // All events were deleted, or the database is a new one: their numbers begin anew.
                None => Ok(0),
            }
        }
        (None, Some(from)) => {
            let since = EventFilter {
                from: Some(from),
                ..EventFilter::default()
            };
            let found = archive.find_events(since, 1).await?;
            Ok(found.first().map_or(newest, |event| event.sequence - 1))
        }
        (None, None) => Ok(newest),
    }
}

/// Returns the last event that a client got, by its header; an empty one counts as absent.
fn last_event_id(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    let Some(value) = request.headers().get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("?").trim();
    if text.is_empty() {
        return Ok(None);
    }
    parse_integer(text, &(0..=MAX_SAFE_INTEGER))
        .map(Some)
        .map_err(|reason| Problem::invalid_field(LAST_EVENT_ID, reason))
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was sent.
    Opening {
        is_behind: bool,
    },
    /// Older events are read from the store.
    CatchingUp,
    Following,
    Over,
}

/// One answer.
struct Follower {
    state: AppState,
    filter: EventFilter,
    /// Every event up to this one was sent, or is not selected.
    seen: i64,
    stage: Stage,
    events: Receiver<Arc<AnnouncedEvent>>,
    comments: Interval,
    pulse: Pulse,
    connection: Option<Connection>,
    sender: Sender,
    _seat: OwnedSemaphorePermit,
}

impl Follower {
    /// Returns the next text of the answer; `None` at its end.
    async fn next(&mut self) -> Option<String> {
        loop {
            match self.stage {
                Stage::Opening { is_behind } => {
                    self.stage = match is_behind {
                        true => Stage::CatchingUp,
                        false => Stage::Following,
                    };
                    return Some(format!("retry: {RETRY_MS}\nid: {}\n\n", self.seen));
                }
                Stage::CatchingUp => {
                    let text = self.older().await?;
                    if !text.is_empty() {
                        self.comments.reset();
                        return Some(text);
                    }
                }
                Stage::Following if self.is_past_its_end() => return None,
                Stage::Following => return self.newer().await,
                Stage::Over => return None,
            }
        }
    }

    /// Returns whether nothing that comes is selected any more.
    fn is_past_its_end(&self) -> bool {
        let now = self.state.orchestrator().clock().wall();
        self.filter.to.is_some_and(|to| to <= now)
    }

    /// Returns the next page of older events; an empty text at their end.
    async fn older(&mut self) -> Option<String> {
        let page = EventFilter {
            after: Some(self.seen),
            ..self.filter.clone()
        };
        let state = self.state.clone();
        let read = async {
            let _turn = state.turn_to_catch_up().await;
            state.orchestrator().archive().find_events(page, PAGE).await
        };
        let found = tokio::select! {
            biased;
            () = ended(&self.state, &self.sender, self.connection.as_ref()) => return None,
            found = read => found.ok()?,
        };
        if found.len() < PAGE as usize {
            self.stage = Stage::Following;
        }
        let mut text = String::new();
        for event in &found {
            self.seen = event.sequence;
            text.push_str(&frame(event));
        }
        Some(text)
    }

    /// Waits for selected events, or returns a comment.
    async fn newer(&mut self) -> Option<String> {
        loop {
            let received = tokio::select! {
                biased;
                () = ended(&self.state, &self.sender, self.connection.as_ref()) => return None,
                text = self.pulse.next() => return Some(text),
                received = self.events.recv() => received,
                _ = self.comments.tick() => return Some(": no event\n\n".to_owned()),
            };
            let mut received = received.map_err(|error| match error {
                RecvError::Closed => TryRecvError::Closed,
                RecvError::Lagged(missed) => TryRecvError::Lagged(missed),
            });
            let mut text = String::new();
            loop {
                match received {
                    Ok(event) => self.add(&event, &mut text),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Closed) => {
                        self.stage = Stage::Over;
                        break;
                    }
                    Err(TryRecvError::Lagged(missed)) => {
                        self.stage = Stage::Over;
                        text.push_str(&self.lagged(missed));
                        break;
                    }
                }
                if text.len() >= MAX_PIECE {
                    break;
                }
                received = self.events.try_recv();
            }
            if !text.is_empty() {
                self.comments.reset();
                return Some(text);
            }
            if self.stage == Stage::Over {
                return None;
            }
            // Events that no filter selects must not keep others waiting either.
            tokio::task::yield_now().await;
        }
    }

    fn add(&mut self, event: &AnnouncedEvent, text: &mut String) {
        let stored = event.stored();
        if stored.sequence <= self.seen {
            return;
        }
        self.seen = stored.sequence;
        if self.filter.wants(stored.sequence, &stored.event) {
            text.push_str(event.text(frame));
        }
    }

    /// Returns the last frame of a client that reads too slowly.
    fn lagged(&self, missed: u64) -> String {
        let seen = self.seen;
        format!("event: lagged\ndata: {{\"missed\":{missed},\"resume_after\":{seen}}}\n\n")
    }
}

/// Returns once the program stops, the caller's key is not good any more, or the client has ended its side.
async fn ended(state: &AppState, sender: &Sender, connection: Option<&Connection>) {
    let gone = async {
        match connection {
            Some(connection) => connection.ended().await,
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        () = state.orchestrator().polls_ended() => {}
        () = sender.ended() => {}
        () = gone => {}
    }
}

/// Returns an event as a frame. Its JSON has no line breaks.
fn frame(event: &StoredEvent) -> String {
    let data = serde_json::to_string(&EventAnswer::of(event)).unwrap_or_default();
    let (id, kind) = (event.sequence, event.event.event.kind());
    format!("id: {id}\nevent: {kind}\ndata: {data}\n\n")
}
