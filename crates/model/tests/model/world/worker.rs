//! What a worker does: `crates/client/src/machine/mod.rs` in the small.

use super::{Message, Mutation, STOP, Setting, Told, World};

impl World {
    pub(super) fn send(&mut self, who: usize) {
        let worker = &mut self.workers[who];
        worker.waiting = Some(0);
        self.network.insert(Message::Beat {
            from: who,
            life: worker.life,
            age: 0,
            version: worker.version,
        });
    }

    /// The worker hears an answer.
    pub(super) fn hear(
        &mut self,
        who: usize,
        life: u8,
        age: u8,
        told: Option<Told>,
        setting: &Setting,
    ) {
        let worker = &mut self.workers[who];
        // Only the request under way has an answer.
        if !worker.is_alive || worker.life != life || worker.waiting != Some(age) {
            return;
        }
        worker.waiting = None;
        let Some(told) = told else {
            worker.running = None;
            worker.is_alive = false;
            return;
        };
        if told.grants {
            let since = if setting.mutation == Mutation::LeaseFromAnswer {
                0
            } else {
                age
            };
            worker.lease_left = (STOP + worker.drift).saturating_sub(since);
        }
        if worker.running.is_some() && worker.running != told.runs {
            if setting.mutation == Mutation::ConfirmsBeforeItStops {
                worker.stopping = true;
            } else {
                worker.running = None;
            }
        }
        worker.version = told.version;
        if let Some(epoch) = told.runs
            && epoch >= worker.highest_epoch
            && (setting.overlap || worker.lease_left > 0)
            && worker.running.is_none()
        {
            worker.running = Some(epoch);
            worker.highest_epoch = epoch;
        }
    }
}
