//! A worker registers, for the first time or again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::command::{Command, Rejection};
use super::relocate::releasing;
use crate::events::Event;
use crate::fleet::{Draft, end_overlaps, let_go, place_waiting};
use crate::handover::AbandonReason;
use crate::identity::Address;
use crate::ids::{AssignmentVersion, Incarnation, InstanceId, StreamId};
use crate::instance::{Instance, InstanceStatus};
use crate::placement::Need;
use crate::planned::{DrainState, Planned, Requester};
use crate::stream::{Assignment, Holding, OrphanReason};
use crate::withdrawal::WithdrawalCause;

/// Begins a new incarnation of an instance. It keeps the streams it owned, as far as they still
/// fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterInstance {
    /// The `server_id`.
    pub id: InstanceId,
    /// Its own address, as the worker reports it.
    pub ip: String,
    /// The port that the worker reports.
    pub port: u16,
    /// How many streams it may own, at least 1.
    pub max_streams: u32,
    /// The sum of the weights of the streams it may own, at least 1, if that is limited.
    pub capacity: Option<u32>,
    /// Free-form labels; they replace earlier ones.
    pub labels: BTreeMap<String, String>,
    /// The interval at which the worker says it will send heartbeats.
    pub heartbeat_interval: Option<Duration>,
    /// Whether unclaimed streams are assigned to it without a request.
    pub auto_assign: bool,
}

/// The answer to a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The instance as it is now.
    pub instance: Instance,
    /// Whether the instance was registered before.
    pub reregistration: bool,
    /// The incarnation before this one, if it was at another address.
    pub moved: Option<FormerLife>,
    /// Whether streams were assigned to it because of this registration.
    pub auto_rebalanced: bool,
    /// The streams it owns now, ascending, each with its epoch.
    pub assignments: Vec<Holding>,
}

/// The incarnation before a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct FormerLife {
    pub incarnation: Incarnation,
    /// The address it reported.
    pub address: Address,
}

impl FormerLife {
    /// Returns `None` if it was at the same address.
    fn elsewhere(before: &Instance, now: &Instance) -> Option<Self> {
        let address = |instance: &Instance| Address {
            ip: instance.ip.clone(),
            port: instance.port,
        };
        let former = address(before);
        (former != address(now)).then_some(Self {
            incarnation: before.incarnation,
            address: former,
        })
    }
}

impl Registered {
    /// Returns the streams the instance owns now, ascending.
    pub fn assigned_streams(&self) -> Vec<StreamId> {
        self.assignments
            .iter()
            .map(|holding| holding.stream)
            .collect()
    }
}

impl Command for RegisterInstance {
    type Reply = Registered;

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Registered, Rejection> {
        let known = draft
            .fleet()
            .instance(&self.id)
            .map(|slot| slot.instance().clone());
        let incarnation = Incarnation::new(draft.next_epoch().get());
        let planned = known.as_deref().map(planned_after).unwrap_or_default();
        let status = status_after(known.as_ref().map(|instance| instance.status), &planned);
        let status_since = match &known {
            Some(before) if before.status == status => before.status_since,
            Some(_) | None => draft.now(),
        };
        draft.put_instance(Instance {
            id: self.id.clone(),
            incarnation,
            status,
            status_since,
            ip: self.ip.clone(),
            port: self.port,
            max_streams: self.max_streams,
            capacity: self.capacity,
            labels: self.labels.clone(),
            heartbeat_interval: self.heartbeat_interval,
            auto_assign: self.auto_assign,
            assignment_version: known.as_ref().map_or(AssignmentVersion::new(1), |before| {
                before.assignment_version
            }),
            registered_at: draft.now(),
            flaps: known.as_ref().map_or(0, |before| before.flaps),
            lease: known.as_ref().map_or(Duration::ZERO, |before| before.lease),
            withdrawn: None,
            // The incident of the earlier incarnation takes the numbers; a removal has no incident.
            handed_over: known.as_ref().and_then(|before| {
                let is_removal = before
                    .withdrawn
                    .is_some_and(|withdrawal| withdrawal.cause == WithdrawalCause::Removal);
                before.handed_over.filter(|_| !is_removal)
            }),
            planned: Some(Box::new(planned)).filter(|planned| !planned.is_nothing()),
        });
        draft.tell(Event::InstanceRegistered {
            instance: self.id.clone(),
            incarnation,
            max_streams: self.max_streams,
            reregistration: known.is_some(),
        });
        if known
            .as_ref()
            .is_some_and(|before| before.status == InstanceStatus::Failed)
        {
            draft.tell(Event::InstanceReturned {
                instance: self.id.clone(),
                incarnation,
            });
        }
        if known
            .as_ref()
            .is_some_and(|before| before.status == InstanceStatus::Maintenance)
        {
            draft.tell(Event::MaintenanceEnded {
                instance: self.id.clone(),
                incarnation,
                status,
                by: Some(Requester::Worker),
                reason: None,
            });
        }
        self.settle_moves(draft, known.as_deref());
        self.shed_excess(draft, known.as_deref());
        if self.auto_assign {
            draft.delay_fill();
        }
        let kept = held(draft, &self.id).len();
        place_waiting(draft);
        let assignments = held(draft, &self.id);
        let auto_rebalanced = assignments.len() > kept;
        let instance = super::command::known(draft, &self.id)?;
        Ok(Registered {
            moved: (known.as_deref()).and_then(|before| FormerLife::elsewhere(before, &instance)),
            instance,
            reregistration: known.is_some(),
            auto_rebalanced,
            assignments,
        })
    }
}

impl RegisterInstance {
    /// Ends what depends on the earlier process: the new one runs no stream that the earlier one
    /// had to release or to run a while longer. Moves go on, and streams that were being taken from
    /// the earlier process do not come back.
    ///
    /// Streams that a leased process has to release stay with it until a heartbeat names the new number
    /// (`confirm.rs`): this registration may have been on its way for long, and the process that sent it may
    /// be gone while the one before runs on.
    fn settle_moves(&self, draft: &mut Draft<'_>, before: Option<&Instance>) {
        let was_withdrawn = before.is_some_and(|before| before.withdrawn.is_some());
        let was_leased = before.is_some_and(Instance::is_leased);
        for stream in releasing(draft, &self.id) {
            let slot = draft.fleet().stream(stream);
            let is_enabled = slot.is_some_and(|slot| slot.stream().enabled);
            let is_shed = slot
                .and_then(|slot| slot.place().assignment())
                .is_some_and(Assignment::is_shed);
            // What no longer fits is decided anew.
            if (was_withdrawn || is_shed) && is_enabled {
                draft.abandon_release(stream, AbandonReason::CalledOff);
                if was_leased {
                    // It does not fit, and is to be released after all.
                    draft.release_with_next_heartbeat(stream);
                }
            } else if was_leased {
                draft.release_with_next_heartbeat(stream);
            } else {
                let_go(draft, stream);
            }
        }
        end_overlaps(draft, &self.id);
    }

    /// Removes the excess of an instance that registers with less room than it owns streams: first
    /// the streams that it has to release, then those that it was never notified of, then the highest ids. Streams
    /// whose required labels it lost go in any case.
    ///
    /// Streams of a leased process stay with it until a heartbeat names the new number: this registration may be late, and
    /// the process before may run them.
    fn shed_excess(&self, draft: &mut Draft<'_>, before: Option<&Instance>) {
        let was_leased = before.is_some_and(Instance::is_leased);
        if !was_leased {
            self.let_go_of_excess(draft);
        }
        let fleet = draft.fleet();
        let Some(slot) = fleet.instance(&self.id) else {
            return;
        };
        let stream = |id: &StreamId| fleet.stream(*id).map(|slot| slot.stream());
        let (mut count, mut weight) = draft.to_run(slot);
        let limit = self.capacity.map_or(u64::MAX, u64::from);
        let is_chosen_last =
            |id: &&StreamId| !slot.undelivered().contains(id) && !slot.releasing().contains(id);
        let told = slot.held().iter().rev().filter(is_chosen_last);
        let mut chosen = Vec::new();
        let mut candidates: Vec<StreamId> = Vec::new();
        for id in slot.undelivered().iter().rev().chain(told) {
            let Some(stream) = stream(id) else {
                continue;
            };
            if Need::of(stream).is_met_by(&self.labels) {
                candidates.push(*id);
            } else {
                chosen.push(*id);
                count -= 1;
                weight = weight.saturating_sub(u64::from(stream.weight));
            }
        }
        for id in candidates {
            if count <= self.max_streams as usize && weight <= limit {
                break;
            }
            chosen.push(id);
            count -= 1;
            let lighter = stream(&id).map_or(0, |stream| u64::from(stream.weight));
            weight = weight.saturating_sub(lighter);
        }
        for stream in chosen {
            if was_leased {
                draft.shed_with_next_heartbeat(stream);
                continue;
            }
            draft.orphan(stream, &self.id, OrphanReason::RoomReduced);
        }
    }
}

impl RegisterInstance {
    /// A stream that is only to be released does not keep its place where another one would lose it.
    fn let_go_of_excess(&self, draft: &mut Draft<'_>) {
        let limit = self.capacity.map_or(u64::MAX, u64::from);
        for stream in releasing(draft, &self.id).into_iter().rev() {
            let fits = draft.fleet().instance(&self.id).is_none_or(|slot| {
                slot.held().len() <= self.max_streams as usize && slot.weight() <= limit
            });
            if fits {
                return;
            }
            let_go(draft, stream);
        }
    }
}

/// Returns what is planned after a registration: it ends an absence, and the hold of a drain that is
/// over, and an order to remove it. A cordon stays, and a drain that is under way or has expired does.
fn planned_after(before: &Instance) -> Planned {
    let mut planned = before.planned.as_deref().cloned().unwrap_or_default();
    planned.absence = None;
    planned.removal = None;
    if let Some(drain) = &mut planned.drain
        && drain.state == DrainState::Drained
    {
        drain.in_force = false;
    }
    planned
}

/// Returns the status after a registration: it clears suspicion, ends maintenance and absence, and
/// puts a failed instance on probation. A drain that is under way goes on.
fn status_after(before: Option<InstanceStatus>, planned: &Planned) -> InstanceStatus {
    let is_draining = planned.drain.as_ref().is_some_and(|drain| drain.in_force);
    match before {
        None => InstanceStatus::Active,
        Some(_) if is_draining => InstanceStatus::Draining,
        Some(
            InstanceStatus::Active
            | InstanceStatus::Suspect
            | InstanceStatus::Draining
            | InstanceStatus::Maintenance
            | InstanceStatus::Inactive,
        ) => InstanceStatus::Active,
        Some(InstanceStatus::Failed | InstanceStatus::Recovering) => InstanceStatus::Recovering,
    }
}

fn held(draft: &Draft<'_>, id: &InstanceId) -> Vec<Holding> {
    let fleet = draft.fleet();
    fleet
        .instance(id)
        .map(|slot| fleet.holdings(slot, slot.to_run()).collect())
        .unwrap_or_default()
}
