//! States that differ in nothing that matters are made the same, so that there are fewer.

use orchestrator_domain::leadership::is_promoted;

use super::database::{Process, Row};
use super::leader::Phase;
use super::world::{STALE, WORKERS, World};

impl World {
    /// States that differ in nothing that matters are made the same. No term comes back any more.
    pub(super) fn tidy(&mut self) {
        let term = self.database.row.term;
        let is_claimed = !is_promoted(term, self.wal_timeline());
        if is_claimed {
            self.forget_what_decides();
        }
        for orchestrator in &mut self.orchestrators {
            if let Some(office) = &mut orchestrator.office
                && office.term != term
            {
                office.kept.clear();
                office.doubt = None;
                office.lease_left = [0; WORKERS];
                (office.members, office.read) = (None, None);
                office.is_marked = false;
                office.phase = Phase::Leads;
            }
        }
    }

    /// No leader has to decide any more what it says with a claim.
    fn forget_what_decides(&mut self) {
        self.old = None;
        let Row { term, leader, .. } = self.database.row;
        let is_leading = |at, run| leader == Process { at, run };
        for (at, orchestrator) in self.orchestrators.iter_mut().enumerate() {
            orchestrator.seen = term;
            let is_after = leader.at == at && !is_leading(at, orchestrator.run);
            orchestrator.run = u8::from(is_after);
            // Without a young proof a leader that was deposed says nothing any more.
            let office = orchestrator.office.take();
            let office = office.filter(|office| office.term == term || office.proof_age < STALE);
            orchestrator.office = office.map(|mut office| {
                (office.members, office.read) = (None, None);
                if office.phase == Phase::Leads {
                    office.kept.clear();
                }
                office
            });
        }
        self.database.row.leader.run = 0;
        let fleet = self.database.fleet;
        if fleet.version == self.truth.promised.version && fleet.agrees_with(&self.truth.promised) {
            self.truth.promised = fleet;
        }
        for (who, worker) in self.workers.iter_mut().enumerate() {
            let mut leaders = self
                .orchestrators
                .iter()
                .filter_map(|one| one.office.as_ref());
            let is_behind = leaders.all(|office| worker.version < office.fleet.sets[who]);
            if worker.lease_left == 0 && is_behind && worker.version < fleet.sets[who] {
                // It is told its set before it has a lease again.
                worker.set = None;
            }
        }
    }
}
