//! The rounds of a measurement, and what must not come of them.
#![expect(clippy::print_stdout, reason = "a bench prints what it did")]

use std::time::Duration;

use super::clients::Clients;
use super::faults::{Outcome, cause, repair};
use super::fleet::{Owned, Size, failures, moved};
use super::members::{Failure, now, owners, pause, until};
use super::modes::Mode;
use super::report::Report;
use super::stage::Stage;
use super::workers::Workers;

/// A client that was answered at once after a fault may still notice it with its next heartbeat.
const NOTICED: Duration = Duration::from_secs(1);

/// What should be 0.
#[derive(Debug, Default)]
struct Faults {
    failed: usize,
    moved: usize,
    old_epochs: usize,
    /// How often two members, or none, led after a round.
    not_one: usize,
}

/// Measures so many rounds.
pub(super) fn measure(
    stage: &mut Stage,
    mode: Mode,
    size: Size,
    rounds: usize,
) -> Result<(), Failure> {
    let began = now();
    let clients = Clients::start(stage.urls(), size, mode);
    let workers = Workers::start(&stage.urls(), size)?;
    until("all clients are answered", || {
        clients.are_answered(began).then_some(())
    })?;
    println!(
        "{mode:?}: {rounds} rounds, {} instances, {} streams, two members, HEARTBEAT_TIMEOUT {} s",
        size.instances,
        stage.owned.len(),
        mode.timeout().as_secs()
    );
    let (mut report, mut faults) = (Report::default(), Faults::default());
    let before = failures(stage.leader())?;
    for round in 1..=rounds {
        clients.go_home();
        pause(mode.rest());
        let term = stage.term()?;
        clients.begin_round(stage.other());
        let outcome = cause(stage, mode, &clients, round)?;
        let settled = now().max(outcome.began + NOTICED);
        until("all clients are answered", || {
            clients.are_answered(settled).then_some(())
        })?;
        let seen = clients.end_round(outcome.began, term);
        let line = report.add(&[
            ("leads", outcome.leads),
            ("first answer", seen.first),
            ("first answer of the next leader", seen.first_of_next),
            ("longest wait", seen.longest_wait),
            ("first saved change", outcome.saved),
            ("found beyond the timeout", outcome.found),
        ]);
        println!("  round {round}: {line}");
        repair(stage, mode)?;
        clients.start_again();
        faults.add(stage, &outcome)?;
        let again = now();
        until("all clients are answered again", || {
            clients.are_answered(again).then_some(())
        })?;
    }
    let ended = if mode == Mode::Worker { rounds } else { 0 };
    faults.failed = failures(stage.leader())?.saturating_sub(before + ended);
    println!("{}", report.summary());
    println!(
        "instances failed: {}; streams moved: {}; exclusive streams that leased workers had to stop: {} (clients), {} \
         (library); exclusive streams with two runners: {}; epochs that were there before: {}; rounds without exactly \
         one leader at the end: {}; answers that were not 200: {}",
        faults.failed,
        faults.moved,
        clients.stopped(),
        workers.stopped(),
        workers.doubled(),
        faults.old_epochs,
        faults.not_one,
        clients.refused()
    );
    Ok(())
}

impl Faults {
    /// Compares the fleet with that before the round.
    fn add(&mut self, stage: &mut Stage, outcome: &Outcome) -> Result<(), Failure> {
        let after = owners(stage.leader())?;
        let stays = |owned: &&Owned| !outcome.of_the_ended.contains(&owned.0);
        let of = |all: &[Owned]| all.iter().filter(stays).cloned().collect::<Vec<_>>();
        self.moved += moved(&of(&stage.owned), &of(&after));
        stage.owned = after;
        self.old_epochs += outcome.old_epochs;
        let leading = stage.members.iter().filter(|it| it.leads()).count();
        self.not_one += usize::from(leading != 1);
        Ok(())
    }
}
