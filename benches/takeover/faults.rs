//! What happens in a round, and how it is repaired.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::clients::Clients;
use super::fleet::{added, first_change, name, owner};
use super::members::{Failure, leader, now, pause, until};
use super::modes::Mode;
use super::stage::Stage;

/// How long the database is away.
const OUTAGE: Duration = Duration::from_secs(30);

/// Between the end of a worker and the end of the leader.
const BEFORE: Duration = Duration::from_secs(1);

/// How many streams are added that the promoted database does not have.
const TAIL: usize = 10;

/// What came of a fault.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) began: Instant,
    /// From the fault until a member leads: another one, or the same one on a promoted database.
    pub(super) leads: Option<Duration>,
    /// From the moment the database takes writes again until a change is saved.
    pub(super) saved: Option<Duration>,
    /// How much longer than the timeout it took to give the streams of a worker that ended to others.
    pub(super) found: Option<Duration>,
    /// The streams of that worker.
    pub(super) of_the_ended: BTreeSet<i64>,
    /// How many epochs were not higher than all before.
    pub(super) old_epochs: usize,
}

impl Outcome {
    fn of(began: Instant) -> Self {
        Self {
            began,
            leads: None,
            saved: None,
            found: None,
            of_the_ended: BTreeSet::new(),
            old_epochs: 0,
        }
    }
}

/// Causes a fault, and waits until the members have dealt with it.
pub(super) fn cause(
    stage: &mut Stage,
    mode: Mode,
    clients: &Clients,
    round: usize,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::of(now());
    match mode {
        Mode::Kill => stage.leader().signal(Signal::KILL)?,
        Mode::Stop => stage.leader().signal(Signal::STOP)?,
        Mode::Planned => stage.leader().signal(Signal::TERM)?,
        Mode::StepDown => step_down(stage)?,
        Mode::Database | Mode::Isolated | Mode::Gone => stage.cut(mode),
        Mode::Workers => {
            // The leader leads on.
            stage.cut(mode);
            return Ok(outcome);
        }
        Mode::Outage | Mode::Crash => {
            outage(stage, mode, &mut outcome)?;
            return Ok(outcome);
        }
        Mode::Promoted | Mode::PromotedLost => return promotion(stage, mode),
        Mode::Worker => return with_a_worker(stage, mode, clients, round),
    }
    take_over(stage, &mut outcome)?;
    if mode == Mode::Stop {
        // Four fifths of the timeout are the lease.
        pause(mode.timeout().saturating_sub(outcome.began.elapsed()));
        stage.standby().signal(Signal::CONT)?;
    }
    Ok(outcome)
}

/// Mends what the fault left, until both members are as before.
pub(super) fn repair(stage: &mut Stage, mode: Mode) -> Result<(), Failure> {
    if mode == Mode::Gone {
        // No process lives on a machine that is gone.
        stage.standby().signal(Signal::KILL)?;
    }
    stage.mend();
    if mode.is_promotion() {
        stage.databases.add_standby()?;
    }
    let standby = stage.other();
    stage.wait_until_ready(standby)
}

/// Waits until the member that stands by leads.
fn take_over(stage: &mut Stage, outcome: &mut Outcome) -> Result<(), Failure> {
    until("the other one leads", || {
        stage.standby().leads().then_some(())
    })?;
    outcome.leads = Some(outcome.began.elapsed());
    stage.leading = stage.other();
    Ok(())
}

fn step_down(stage: &Stage) -> Result<(), Failure> {
    let reason = json!({"reason": "measured"});
    let ordered = stage.leader().post("/cluster/step-down", &reason);
    // The order may be obeyed before a renewal proves its answer.
    let is_withheld = |failure: &Failure| failure.to_string().contains("leadership-unproven");
    let failed = ordered.err().filter(|failure| !is_withheld(failure));
    failed.map_or(Ok(()), Err)
}

/// The database is away for all members.
fn outage(stage: &mut Stage, mode: Mode, outcome: &mut Outcome) -> Result<(), Failure> {
    if mode == Mode::Crash {
        stage.databases.crash();
    } else {
        stage.cut(mode);
    }
    pause(OUTAGE.saturating_sub(outcome.began.elapsed()));
    if mode == Mode::Crash {
        stage.databases.start_again();
    } else {
        stage.mend();
    }
    outcome.saved = Some(first_change(stage.leader())?);
    stage.leading = leader(&stage.members)?;
    Ok(())
}

/// The primary of the database ends, and its standby is promoted.
fn promotion(stage: &mut Stage, mode: Mode) -> Result<Outcome, Failure> {
    let term = stage.term()?;
    let mut next = stage.owned.last().map_or(1, |(id, _, _)| id + 1);
    stage.databases.catch_up()?;
    if mode == Mode::PromotedLost {
        stage.databases.stop_the_stream()?;
        for _ in 0..TAIL {
            let owned = added(stage.leader(), next)?;
            stage.owned.push(owned);
            next += 1;
        }
    }
    let mut outcome = Outcome::of(now());
    stage.databases.crash();
    stage.databases.promote();
    let promoted = now();
    until("a member leads under a later term", || {
        stage.leading = stage.members.iter().position(|it| it.leads())?;
        (stage.term().ok()? > term).then_some(())
    })?;
    outcome.leads = Some(outcome.began.elapsed());
    first_change(stage.leader())?;
    outcome.saved = Some(promoted.elapsed());
    if mode == Mode::PromotedLost {
        let highest = stage.owned.iter().map(|(_, _, epoch)| *epoch).max();
        let owned = added(stage.leader(), next)?;
        outcome.old_epochs = usize::from(Some(owned.2) <= highest);
        stage.owned.push(owned);
    }
    Ok(outcome)
}

/// A worker ends, and a second later the leader.
fn with_a_worker(
    stage: &mut Stage,
    mode: Mode,
    clients: &Clients,
    round: usize,
) -> Result<Outcome, Failure> {
    let number = clients.end_one(round);
    pause(BEFORE);
    let ended = name(number);
    let last = clients.last_beat(number).ok_or("no heartbeat")?;
    let mut outcome = Outcome::of(now());
    stage.leader().signal(Signal::KILL)?;
    let of_it = stage.owned.iter().filter(|(_, owner, _)| *owner == ended);
    outcome.of_the_ended = of_it.map(|(id, _, _)| *id).collect();
    take_over(stage, &mut outcome)?;
    until("the streams of the worker have other owners", || {
        let mut streams = outcome.of_the_ended.iter();
        let has_moved = |id: &i64| {
            let owned = owner(stage.leader(), *id);
            owned.is_some_and(|(_, owner, _)| owner != ended)
        };
        streams.all(has_moved).then_some(())
    })?;
    outcome.found = Some(last.elapsed().saturating_sub(mode.timeout()));
    Ok(outcome)
}
