//! Two members, the ways between them, and which of them leads.

use super::cables::Cables;
use super::databases::Databases;
use super::fleet::Owned;
use super::members::{Failure, Member, Program, leader, owners, until};
use super::modes::Mode;

const NODES: [&str; 2] = ["a", "b"];

/// The members. All processes end when it is dropped.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) members: Vec<Member>,
    /// None if the members reach everything straight.
    cables: Vec<Cables>,
    pub(super) leading: usize,
    pub(super) databases: Databases,
    /// Who runs what, as acknowledged last.
    pub(super) owned: Vec<Owned>,
}

impl Stage {
    /// Starts the members, of which the first leads and the second is ready to take over.
    pub(super) fn start(
        program: &Program,
        databases: Databases,
        mode: Mode,
    ) -> Result<Self, Failure> {
        let mut stage = Self {
            members: Vec::new(),
            cables: Vec::new(),
            leading: 0,
            databases,
            owned: Vec::new(),
        };
        for node in NODES {
            let mut program = program.clone();
            if mode.has_cables() {
                let cables = Cables::new(stage.databases.port());
                let url = stage.databases.url_at(cables.database.port());
                program.variables.extend(cables.settings(&url));
                stage.cables.push(cables);
            }
            let member = Member::start(&program, node)?;
            if let Some(cables) = stage.cables.last() {
                cables.lead_to(port_of(&member)?);
            }
            stage.members.push(member);
            stage.leading = leader(&stage.members)?;
        }
        stage.wait_until_ready(stage.other())?;
        stage.owned = owners(stage.leader())?;
        Ok(stage)
    }

    /// The place of the member that does not lead.
    pub(super) fn other(&self) -> usize {
        1 - self.leading
    }

    /// The member that leads.
    pub(super) fn leader(&self) -> &Member {
        &self.members[self.leading]
    }

    /// The member that stands by.
    pub(super) fn standby(&self) -> &Member {
        &self.members[self.other()]
    }

    /// Where workers reach the members.
    pub(super) fn urls(&self) -> Vec<String> {
        if self.cables.is_empty() {
            self.members.iter().map(|it| it.url.clone()).collect()
        } else {
            self.cables.iter().map(Cables::url).collect()
        }
    }

    /// The term, as the leader names it.
    pub(super) fn term(&self) -> Result<i64, Failure> {
        let (_, cluster) = self.leader().get("/cluster")?;
        Ok(cluster["term"].as_i64().ok_or("no term")?)
    }

    /// Cuts what the mode cuts.
    pub(super) fn cut(&self, mode: Mode) {
        for (place, cables) in self.cables.iter().enumerate() {
            let leads = place == self.leading;
            let is_between_members = matches!(mode, Mode::Isolated | Mode::Gone);
            let is_of_workers = mode == Mode::Workers || is_between_members;
            let is_of_database = matches!(mode, Mode::Database | Mode::Gone);
            if leads && is_of_database || mode == Mode::Outage {
                cables.database.freeze();
            }
            if leads && is_of_workers {
                cables.workers.freeze();
            }
            // With two members, both ways between them are ways of the leader.
            if is_between_members {
                cables.members.freeze();
            }
        }
    }

    /// Mends all cables.
    pub(super) fn mend(&self) {
        self.cables.iter().for_each(Cables::mend);
    }

    /// Waits until the member that led before stands by: a new process if it has ended, else the same one.
    pub(super) fn wait_until_ready(&mut self, place: usize) -> Result<(), Failure> {
        let (members, leading) = (&mut self.members, self.leading);
        let what = format!("`{}` stands by", members[place].node);
        until(&what, || {
            if members[place].has_ended().ok()? {
                members[place].start_again().ok()?;
            }
            members[leading].shows_ready(&members[place]).then_some(())
        })
    }
}

fn port_of(member: &Member) -> Result<u16, Failure> {
    let (_, port) = member.url.rsplit_once(':').ok_or("no port")?;
    Ok(port.parse()?)
}
