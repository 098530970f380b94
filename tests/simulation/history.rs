//! What the events tell, judged as they come: I1, I4, I6, and who owned what when.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use resilient_orchestrator::domain::events::Event;
use resilient_orchestrator::domain::incident::FailureCause;
use resilient_orchestrator::domain::settings::LivenessThresholds;
use resilient_orchestrator::domain::stream::{AssignReason, OrphanReason};
use resilient_orchestrator::domain::time::WallTime;
use resilient_orchestrator::domain::withdrawal::WithdrawalCause;
use resilient_orchestrator::store::StoredEvent;

use crate::drained::Drained;
use crate::quarantined::Quarantined;
use crate::returned::Returned;
use crate::world::TIMEOUT;

/// A recovery that is being told of.
#[derive(Debug, Default)]
struct Telling {
    streams: u32,
    moved: u32,
    orphaned: u32,
    /// Those that were not to be run any more.
    dropped: u32,
}

/// An instance whose lease is withdrawn: what goes before it has failed is counted by its incident.
#[derive(Debug, Default)]
struct Withdrawn {
    /// Whether the instance is being removed: then what goes is the removal's, whatever else happens.
    is_removal: bool,
    left: u32,
    moved: u32,
    orphaned: u32,
}

/// A time in which the orchestrator heard nothing.
#[derive(Debug)]
pub(crate) struct Standstill {
    pub(crate) from: WallTime,
    pub(crate) until: WallTime,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    sequence: i64,
    hasher: DefaultHasher,
    highest_epoch: i64,
    owners: BTreeMap<i64, String>,
    ended: BTreeMap<(i64, String), i64>,
    registered: BTreeSet<(String, i64)>,
    /// By instance, the newest last: it may fail again before the end of a recovery is saved.
    telling: BTreeMap<String, Vec<Telling>>,
    /// Which event told of the newest one, and of whom.
    told_last: Option<(i64, String)>,
    /// What of those whose lease is withdrawn may still go before they have failed, and what went.
    withdrawn: BTreeMap<String, Withdrawn>,
    /// When the orchestrator that writes started.
    pub(crate) life_began: WallTime,
    /// When it stood still.
    pub(crate) standstills: Vec<Standstill>,
    returned: Returned,
    quarantined: Quarantined,
    drained: Drained,
    /// The last answered sign of life of an instance that was not fenced.
    pub(crate) trusted: BTreeMap<String, WallTime>,
}

impl History {
    pub(crate) fn sequence(&self) -> i64 {
        self.sequence
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// An instance whose drain never ended.
    pub(crate) fn unfinished_drain(&self) -> Option<&String> {
        self.drained.unfinished()
    }

    /// Who owns what, as the events tell it.
    pub(crate) fn owners(&self) -> &BTreeMap<i64, String> {
        &self.owners
    }

    /// Whether the instance owned the stream at some moment after the event `since`.
    pub(crate) fn owned_since(&self, stream: i64, instance: &str, since: i64) -> bool {
        self.owners
            .get(&stream)
            .is_some_and(|owner| owner == instance)
            || self
                .ended
                .get(&(stream, instance.to_owned()))
                .is_some_and(|ended| *ended > since)
    }

    /// Notes a worker that a stream ended. One that did not own it any more counts against nothing.
    pub(crate) fn note_victim(&mut self, stream: i64, worker: String) {
        if self.owners.get(&stream) == Some(&worker) {
            self.quarantined.note_victim(stream, worker);
        }
    }

    pub(crate) fn has_registered(&self, instance: &str, incarnation: i64) -> bool {
        self.registered
            .contains(&(instance.to_owned(), incarnation))
    }

    pub(crate) fn follow(&mut self, stored: &StoredEvent) -> Result<(), String> {
        self.sequence = stored.sequence;
        format!("{:?}", stored.event).hash(&mut self.hasher);
        let at = stored.event.at;
        self.returned.follow(at, &stored.event.event)?;
        self.quarantined.follow(at, &stored.event.event)?;
        self.drained.follow(&stored.event.event, &self.owners)?;
        match &stored.event.event {
            Event::StreamAssigned {
                stream,
                instance,
                epoch,
                reason,
                from,
                from_epoch,
                ..
            } => {
                if from.is_some() != from_epoch.is_some() || *from_epoch >= Some(*epoch) {
                    return Err(format!("I1: stream {stream}: {epoch} after {from_epoch:?}"));
                }
                let owner = self.lose(stream.get());
                if owner.as_deref() != from.as_ref().map(|from| from.as_str()) {
                    return Err(format!(
                        "I1: stream {stream} moved from {from:?}, was {owner:?}'s"
                    ));
                }
                if epoch.get() <= self.highest_epoch {
                    return Err(format!("I1: stream {stream} got the old epoch {epoch}"));
                }
                self.highest_epoch = epoch.get();
                self.owners.insert(stream.get(), instance.to_string());
                if matches!(
                    reason,
                    AssignReason::InstanceFailed | AssignReason::Emergency
                ) {
                    self.moved(from.as_ref().map(|from| from.as_str()))?;
                }
            }
            Event::StreamReleased {
                stream, instance, ..
            } => {
                self.lose(stream.get());
                if let Some(telling) = self
                    .telling
                    .get_mut(instance.as_str())
                    .and_then(|told| told.last_mut())
                    && telling.moved + telling.orphaned + telling.dropped < telling.streams
                {
                    telling.dropped += 1;
                }
            }
            Event::StreamWithdrawn { stream, .. } => {
                self.lose(stream.get());
            }
            // One that is disabled is its owner's until that one has let go.
            Event::HandoverAbandoned {
                stream, instance, ..
            }
            | Event::StreamReleasing {
                stream, instance, ..
            } => {
                self.owners.insert(stream.get(), instance.to_string());
            }
            Event::StreamOrphaned {
                stream,
                from,
                reason,
                ..
            } => {
                self.lose(stream.get());
                if matches!(
                    reason,
                    OrphanReason::InstanceFailed | OrphanReason::Emergency
                ) {
                    self.orphaned(from.as_str())?;
                }
            }
            Event::InstanceRegistered {
                instance,
                incarnation,
                ..
            } => {
                let life = (instance.to_string(), incarnation.get());
                self.registered.insert(life);
                // The incident of the life before ends, and tells what went.
                if let Some(Withdrawn {
                    moved, orphaned, ..
                }) = self.withdrawn.remove(instance.as_str())
                {
                    self.telling
                        .entry(instance.to_string())
                        .or_default()
                        .insert(
                            0,
                            Telling {
                                streams: moved + orphaned,
                                moved,
                                orphaned,
                                dropped: 0,
                            },
                        );
                }
            }
            Event::InstanceFailed {
                instance,
                cause,
                streams,
                ..
            } => {
                self.tell(instance.as_str(), *streams);
                self.judge_failure(instance.as_str(), *cause, at)?;
            }
            Event::LeaseWithdrawn {
                instance,
                streams,
                cause,
                ..
            } => {
                let withdrawn = self.withdrawn.entry(instance.to_string()).or_default();
                withdrawn.left = *streams;
                // What leaves because of a removal is the removal's.
                withdrawn.is_removal = *cause == WithdrawalCause::Removal;
                if withdrawn.is_removal {
                    (withdrawn.moved, withdrawn.orphaned) = (0, 0);
                }
            }
            Event::InstanceRemoved { instance, .. } => {
                self.withdrawn.remove(instance.as_str());
            }
            // One that failed in the same breath is told of already.
            Event::EmergencyRecovered {
                instance, streams, ..
            } => {
                let told = (self.sequence - 1, instance.to_string());
                let is_told = self.told_last == Some(told);
                if !is_told {
                    self.tell(instance.as_str(), *streams);
                }
            }
            Event::RecoveryEnded {
                instance,
                moved,
                orphaned,
                ..
            } => {
                let told = self.telling.entry(instance.to_string()).or_default();
                let which = told.iter().position(|told| {
                    (told.moved, told.orphaned) == (*moved, *orphaned)
                        && told.streams == moved + orphaned + told.dropped
                });
                let withdrawn = self.withdrawn.get_mut(instance.as_str());
                if let Some(which) = which {
                    told.remove(which);
                } else if let Some(withdrawn) = withdrawn
                    && (withdrawn.moved, withdrawn.orphaned) == (*moved, *orphaned)
                {
                    (withdrawn.moved, withdrawn.orphaned) = (0, 0);
                } else if moved + orphaned > 0 {
                    return Err(format!(
                        "I4: {moved} moved, {orphaned} orphaned of {instance}, not {told:?}"
                    ));
                }
            }
            Event::MaintenanceEnded { .. }
            | Event::InstanceCordoned { .. }
            | Event::InstanceUncordoned { .. }
            | Event::DrainStarted { .. }
            | Event::DrainEnded { .. }
            | Event::MaintenanceStarted { .. }
            | Event::RollChanged { .. }
            | Event::RecoveryEscalated { .. }
            | Event::InstanceSuspected { .. }
            | Event::InstanceOnTime { .. }
            | Event::InstanceReturned { .. }
            | Event::InstanceTrusted { .. }
            | Event::InstanceFlapping { .. }
            | Event::InstanceForgiven { .. }
            | Event::MassFailureHeld { .. }
            | Event::MassFailureEnded { .. }
            | Event::BrakeOrdered { .. }
            | Event::LeaderHandedOver { .. }
            | Event::AlertAcknowledged { .. }
            | Event::SilenceAdded { .. }
            | Event::SilenceEnded { .. }
            | Event::KeyCreated { .. }
            | Event::KeyRevoked { .. }
            | Event::TakeoverOrdered { .. }
            | Event::StepDownOrdered { .. }
            | Event::MemberForgotten { .. }
            | Event::RebalanceBegun { .. }
            | Event::LeaseAgreed { .. }
            | Event::OverlapEnded { .. }
            | Event::DuplicateIdentity { .. }
            | Event::StreamsDiffer { .. }
            | Event::StreamCreated { .. }
            | Event::StreamUpdated { .. }
            | Event::StreamDeleted { .. }
            | Event::StreamReturned { .. }
            | Event::ReturnsOver { .. }
            | Event::StreamQuarantined { .. }
            | Event::QuarantineRetried { .. }
            | Event::QuarantineOver { .. }
            | Event::StreamsDelivered { .. } => {}
        }
        Ok(())
    }

    fn lose(&mut self, stream: i64) -> Option<String> {
        let owner = self.owners.remove(&stream)?;
        self.ended.insert((stream, owner.clone()), self.sequence);
        Some(owner)
    }

    /// The moves of a recovery follow, in the same transaction.
    fn tell(&mut self, instance: &str, streams: u32) {
        self.told_last = Some((self.sequence, instance.to_owned()));
        let before = self.withdrawn.remove(instance).unwrap_or_default();
        let telling = Telling {
            streams,
            moved: before.moved,
            orphaned: before.orphaned,
            dropped: 0,
        };
        self.telling
            .entry(instance.to_owned())
            .or_default()
            .push(telling);
    }

    /// What was let go of, or may be run twice, does not wait for the end of a lease.
    fn went_before(&mut self, from: Option<&str>, count: fn(&mut Withdrawn) -> &mut u32) -> bool {
        let withdrawn = from.and_then(|from| self.withdrawn.get_mut(from));
        match withdrawn {
            Some(withdrawn) if withdrawn.left > 0 => {
                withdrawn.left -= 1;
                *count(withdrawn) += u32::from(!withdrawn.is_removal);
                true
            }
            Some(_) | None => false,
        }
    }

    fn moved(&mut self, from: Option<&str>) -> Result<(), String> {
        if self.went_before(from, |withdrawn| &mut withdrawn.moved) {
            return Ok(());
        }
        match from.and_then(|from| self.telling.get_mut(from)?.last_mut()) {
            Some(telling) => telling.moved += 1,
            None => return Err(format!("I4: a stream of {from:?} moved without recovery")),
        }
        Ok(())
    }

    fn orphaned(&mut self, from: &str) -> Result<(), String> {
        if self.went_before(Some(from), |withdrawn| &mut withdrawn.orphaned) {
            return Ok(());
        }
        match self.telling.get_mut(from).and_then(|told| told.last_mut()) {
            Some(telling) => telling.orphaned += 1,
            None => return Err(format!("I4: a stream of {from} orphaned without recovery")),
        }
        Ok(())
    }

    fn judge_failure(&self, id: &str, cause: FailureCause, at: WallTime) -> Result<(), String> {
        if !matches!(
            cause,
            FailureCause::HeartbeatTimeout | FailureCause::EmergencyThreshold
        ) {
            return Ok(());
        }
        // The silence before the start counts, up to a bound that leaves everybody this long.
        let grace = LivenessThresholds::from_timeout(TIMEOUT).warning;
        let since_start = self.heard(self.life_began, at);
        if since_start < grace {
            return Err(format!("I6: {id} failed {since_start:?} after the start"));
        }
        let silent = self.trusted.get(id).map(|beat| self.heard(*beat, at));
        match silent {
            Some(silent) if silent < TIMEOUT => Err(format!(
                "I6: {id} failed {silent:?} after its last heartbeat"
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// For how long of this time the orchestrator could have heard somebody.
    fn heard(&self, from: WallTime, until: WallTime) -> Duration {
        let deaf = self.standstills.iter().map(|standstill| {
            let (begin, end) = (standstill.from.max(from), standstill.until.min(until));
            end.since(begin)
        });
        until.since(from).saturating_sub(deaf.sum())
    }
}
