//! What has to hold in each state.

use orchestrator_domain::leadership::is_promoted;

use super::database::Database;
use super::leader::Phase;
use super::setting::{Mutation, Setting};
use super::world::{Kind, LEASE, MARGIN, Outcome, Report, Standing, WORKERS, World};

impl World {
    /// Whether the database has what was acknowledged, unless its row says that something is missing, or no term
    /// was taken on its timeline yet.
    pub(crate) fn keeps_its_promise(&self) -> bool {
        let Database { row, fleet } = &self.database;
        let promised = &self.truth.promised;
        let is_claimed = !is_promoted(row.term, self.wal_timeline());
        // A change that was not acknowledged may be there beside it.
        !is_claimed
            || row.after_loss.is_some()
            || fleet.version > promised.version
            || (fleet.version == promised.version && fleet.agrees_with(promised))
    }

    /// Whether a worker whose version is the newest has the set of that version, once streams are started.
    pub(crate) fn versions_name_one_set(&self) -> bool {
        let mut leaders = (0..self.orchestrators.len()).filter_map(|at| {
            let office = self.orchestrators[at].office.as_ref()?;
            let leads = self.standing(at) == Standing::Proven && office.phase == Phase::Leads;
            (leads && office.frozen_for.is_none()).then_some(office)
        });
        leaders.all(|office| {
            let mut workers = self.workers.iter().enumerate();
            workers.all(|(who, worker)| {
                worker.version != office.fleet.sets[who]
                    || worker.set.is_none()
                    || worker.set == office.fleet.epoch_to_run(who)
            })
        })
    }

    /// Whether the stream is run once nothing goes wrong any more, and no mark of a loss is left.
    pub(crate) fn comes_to_run(&self, setting: &Setting) -> bool {
        let mut world = self.clone();
        world.standby = None;
        for _ in 0..4 * (LEASE + MARGIN) {
            world.go_well(setting.mutation);
            let fleet = &world.database.fleet;
            let owner = fleet.placement.owner;
            let runs = owner.is_some_and(|owner| {
                world.workers[owner].runs() && world.workers[owner].set == fleet.epoch_to_run(owner)
            });
            if runs && world.runners() == 1 && world.database.row.after_loss.is_none() {
                return true;
            }
            world.tick();
        }
        false
    }

    /// What happens within a tick if nothing goes wrong.
    fn go_well(&mut self, mutation: Mutation) {
        for at in 0..self.orchestrators.len() {
            for _ in 0..8 {
                let Some(office) = &self.orchestrators[at].office else {
                    break;
                };
                match (office.phase, self.standing(at)) {
                    (_, Standing::Deposed) => self.end(at),
                    (Phase::Decided(_), _) => self.claim(at, mutation),
                    (Phase::Restores { .. }, _) => self.write(at, mutation),
                    (Phase::Leads, Standing::Promoted) => self.decide(at, true, mutation),
                    (Phase::Leads, Standing::Proven) if office.doubt.is_some() => self.settle(at),
                    (Phase::Leads, Standing::Proven) => break,
                }
            }
        }
        let leader = self
            .orchestrators
            .iter()
            .position(|one| one.office.is_some());
        let leader = leader.unwrap_or_else(|| {
            self.take_over(0, mutation);
            0
        });
        self.renew(leader, mutation);
        let office = self.orchestrators[leader].office.as_ref();
        if office.is_some_and(|office| office.fleet.placement.owner.is_none()) {
            self.change(leader, Kind::Assign(0), Outcome::Acknowledged);
        }
        for who in 0..WORKERS {
            let report = Report {
                is_listed: true,
                runs: self.workers[who].runs(),
            };
            self.beat((who, leader), true, report, true, mutation);
        }
    }
}
