//! What the orchestrator does: the leases and hand-overs of `crates/domain/src` in the small.

use super::{LEASE, MARGIN, Mutation, Setting, TIMEOUT, Told, WORKERS, World};

impl World {
    /// The orchestrator takes a heartbeat.
    pub(super) fn beat(
        &mut self,
        who: usize,
        life: u8,
        version: u8,
        setting: &Setting,
    ) -> Option<Told> {
        if life != self.instances[who].life {
            return None;
        }
        self.instances[who].silent_for = 0;
        // On probation: it is alive, and may be given streams again if nobody else can run them.
        self.instances[who].has_failed = false;
        if version >= self.releasing.unwrap_or(u8::MAX) && self.owner == Some(who) {
            self.let_go(setting);
        }
        if self.owner == Some(who)
            && self.former.is_some()
            && version == self.instances[who].version
        {
            self.end_overlap();
        }
        self.place_orphan(setting);
        let instance = &mut self.instances[who];
        let grants = !instance.is_withdrawn;
        if grants {
            instance.lease_left = LEASE + setting.margin();
        }
        Some(Told {
            grants,
            version: instance.version,
            runs: self.to_run(who),
        })
    }

    /// What a worker is to run.
    fn to_run(&self, who: usize) -> Option<u8> {
        if self.instances[who].is_withdrawn {
            return None;
        }
        if let Some((former, epoch)) = self.former
            && former == who
        {
            return Some(epoch);
        }
        (self.owner == Some(who) && self.releasing.is_none()).then_some(self.epoch)
    }

    /// The orchestrator looks at the time: who is silent has failed, and what waited for the end of
    /// a lease moves.
    pub(super) fn look(&mut self, setting: &Setting) {
        for who in 0..WORKERS {
            let instance = self.instances[who];
            let is_silent = instance.silent_for >= TIMEOUT && !instance.has_failed;
            if is_silent && self.silences < setting.silences {
                self.silences += 1;
                self.instances[who].has_failed = true;
                self.withdraw(who, setting);
            }
            let is_over = self.instances[who].lease_left == 0;
            if self.instances[who].is_withdrawn && is_over {
                self.instances[who].is_withdrawn = false;
                self.instances[who].has_failed = true;
                self.instances[who].version += 1;
                self.take_from(who, setting);
            }
        }
        self.place_orphan(setting);
    }

    /// The lease of an instance is not renewed any more; its worker is told to run nothing.
    pub(super) fn withdraw(&mut self, who: usize, setting: &Setting) {
        let instance = &mut self.instances[who];
        if !instance.is_withdrawn {
            instance.is_withdrawn = true;
            instance.version += 1;
        }
        if self.owner != Some(who) {
            return;
        }
        if setting.overlap || setting.mutation == Mutation::GivesAwayAtOnce {
            self.take_from(who, setting);
        } else if self.releasing.is_none() {
            self.releasing = Some(self.instances[who].version);
        }
    }

    /// Nobody waits for the owner any more.
    fn take_from(&mut self, who: usize, setting: &Setting) {
        if self.former.is_some_and(|(former, _)| former == who) {
            self.end_overlap();
        }
        if self.owner == Some(who) {
            self.let_go(setting);
        }
    }

    /// The owner has let go: somebody else gets the stream, or it waits for somebody.
    fn let_go(&mut self, setting: &Setting) {
        self.releasing = None;
        self.end_overlap();
        let from = self.owner.take();
        let other = from.map(|owner| (owner + 1) % WORKERS);
        match other.filter(|other| self.is_eligible(*other)) {
            Some(other) => self.assign(other, setting),
            None => self.place_orphan(setting),
        }
    }

    fn is_eligible(&self, who: usize) -> bool {
        let instance = &self.instances[who];
        !instance.has_failed && !instance.is_withdrawn
    }

    fn place_orphan(&mut self, setting: &Setting) {
        if self.owner.is_some() || setting.mutation == Mutation::LosesOrphans {
            return;
        }
        if let Some(who) = (0..WORKERS).find(|who| self.is_eligible(*who)) {
            self.assign(who, setting);
        }
    }

    fn assign(&mut self, to: usize, setting: &Setting) {
        if setting.mutation != Mutation::ReusesEpochs {
            self.epoch += 1;
        }
        self.owner = Some(to);
        self.instances[to].version += 1;
    }

    fn end_overlap(&mut self) {
        if let Some((former, _)) = self.former.take() {
            self.instances[former].version += 1;
        }
    }

    pub(super) fn begin_move(&mut self, setting: &Setting) {
        let Some(owner) = self.owner else {
            return;
        };
        let other = (owner + 1) % WORKERS;
        if self.releasing.is_some() || !self.is_eligible(other) || !self.is_eligible(owner) {
            return;
        }
        self.instances[owner].version += 1;
        if setting.overlap {
            self.end_overlap();
            let former = (owner, self.epoch);
            self.assign(other, setting);
            self.former = Some(former);
        } else if setting.mutation == Mutation::MovesAtOnce {
            self.let_go(setting);
        } else {
            self.releasing = Some(self.instances[owner].version);
        }
    }

    /// A worker that has lost its memory begins another life. Its process of before is gone.
    pub(super) fn register(&mut self, who: usize, setting: &Setting) {
        let instance = &mut self.instances[who];
        instance.life += 1;
        instance.version += 1;
        instance.silent_for = 0;
        instance.has_failed = false;
        let was_withdrawn = std::mem::take(&mut instance.is_withdrawn);
        let life = instance.life;
        let worker = &mut self.workers[who];
        worker.is_alive = true;
        worker.life = life;
        worker.version = 0;
        if self.owner == Some(who) && self.releasing.is_some() {
            if was_withdrawn {
                self.releasing = None;
            } else {
                self.let_go(setting);
            }
        }
        if self.former.is_some_and(|(former, _)| former == who) {
            self.end_overlap();
        }
        self.place_orphan(setting);
    }

    /// The orchestrator starts anew: what was granted is unknown, and was granted before.
    pub(super) fn start(&mut self, setting: &Setting) {
        self.is_up = true;
        for instance in &mut self.instances {
            instance.silent_for = 0;
            instance.lease_left = if setting.mutation == Mutation::ForgetsLeases {
                0
            } else {
                LEASE + MARGIN
            };
        }
        if setting.mutation == Mutation::ForgetsHandover && self.releasing.is_some() {
            self.let_go(setting);
        }
    }
}
