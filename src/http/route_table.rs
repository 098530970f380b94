//! Every route, once: serving, the README's table and the tests all read this list.

use std::collections::BTreeMap;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{HttpRequest, guard, middleware, web};

use super::access::{Needed, guarded};
use super::problem::Problem;
use super::requests::refuse_any;
use super::{
    alerts, assignments, brake, breakers, capacity, cluster, cluster_orders, console, diagnostic,
    docs, events, explain, fleet_table, follow, health, instances, keys, logs, long_poll, moves,
    patterns, planned, quarantine, rebalance, recovery, resilience, rolls, series, sessions,
    shown_settings, silences, status, streams, webhooks, workers,
};
use crate::domain::access::Permission;
use crate::domain::leadership::Authority;

/// The contract that a route belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// Workers in the field use it: its names, types and words never change.
    Classic,
    /// The current contract, which may change.
    Current,
}

/// How a route treats the parameters of its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameters {
    /// It has none, and ignores any: workers may send parameters that a later or an earlier release
    /// understands, and load balancers add parameters to probes.
    Ignored,
    /// It has none, and refuses any.
    None,
    /// The handler reads those it has, and refuses others.
    Read,
}

/// A route.
#[expect(missing_docs, reason = "the names say it")]
pub struct Route {
    /// A route for GET serves HEAD too.
    pub method: Method,
    /// `{…}` stands for one percent-encoded segment.
    pub path: &'static str,
    /// What the route does, in one line.
    pub meaning: &'static str,
    pub origin: Contract,
    /// What its answers do to those who get them.
    pub authority: Authority,
    /// What it asks of its caller. The table has no default: a route without one does not compile.
    pub permission: Permission,
    /// What becomes of the parameters of its query.
    pub parameters: Parameters,
    handler: fn() -> actix_web::Route,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

macro_rules! routes {
    ($($origin:ident $authority:ident $permission:ident $method:ident $path:literal [$parameters:ident] $handler:path, $meaning:literal;)+) => {
        &[$(Route {
            method: Method::$method,
            path: $path,
            meaning: $meaning,
            origin: Contract::$origin,
            authority: Authority::$authority,
            permission: Permission::$permission,
            parameters: Parameters::$parameters,
            handler: || web::route().to($handler),
        },)+]
    };
}

static ROUTES: &[Route] = routes![
    Classic Told Work POST "/register" [Ignored] workers::register,
        "Registers an instance, for the first time or again.";
    Classic Beat Work POST "/heartbeat" [Ignored] workers::heartbeat,
        "Reports that an instance is alive; the answer 404 means: register first.";
    Classic Told Work POST "/streams/assign" [Ignored] workers::assign,
        "Assigns streams to the instance that requests them.";
    Classic Told Work POST "/streams/release" [Ignored] workers::release,
        "Returns streams of an instance; `epochs` says under which epochs it had them. The optional `reason` is shown to operators.";
    Classic Shown View GET "/streams/assignments" [Read] assignments::list,
        "Lists the assignments: which instance runs which stream; pages by `limit` and `after`.";
    Current Ordered Operate POST "/streams" [Read] streams::save,
        "Creates or updates up to 10,000 streams, all or none; the answer has their `ids`. `dry_run=true` only says what would happen.";
    Current Judged View POST "/streams/verify" [None] streams::verify,
        "Reports which claims to streams are current; for sinks that refuse results of a former owner.";
    Current Ordered Operate POST "/streams/move" [Read] moves::begin,
        "Moves up to 10,000 streams on request, all or none. A leased owner of an exclusive stream releases it first; `to` is optional; `dry_run=true` only plans.";
    Current Shown View GET "/streams" [Read] streams::list,
        "Lists the catalogue; `limit` (default 1,000), `after`, `state`, `instance`, `group`, `name` (a part of it), `label` (`key:value`). URLs are masked without `urls=full`.";
    Current Shown View GET "/streams/{id}" [Read] streams::detail,
        "Shows a stream, its owner, and why it waits. Its URL is masked without `urls=full`.";
    Current Shown View GET "/streams/{id}/explain" [None] explain::stream,
        "Explains why a stream is where it is, where it could go now, and which way it came.";
    Current Shown View GET "/streams/{id}/story" [Read] events::stream_story,
        "Tells what happened to a stream, oldest first, one sentence each; `from`, `to`, `limit` (default 1,000), `after`.";
    Current Ordered Operate DELETE "/streams/{id}" [None] streams::delete,
        "Deletes a stream and ends its assignment. A stream created again under its id waits until the last leased owner has released the deleted one.";
    Current Ordered Operate POST "/streams/{id}/release-quarantine" [Read] quarantine::release,
        "Releases a stream that is quarantined or on trial: the failures of its owners are forgotten. One without an owner is placed at once, or waits like any other. `reason`; `dry_run=true` only says what would happen.";
    Current Shown View GET "/capacity" [None] capacity::show,
        "Shows whether the loss of any one instance, or of all with one value of a label, could be absorbed, and how many streams would have no home.";
    Current Shown View GET "/capacity/loss" [Read] capacity::loss,
        "Shows which streams would have no home if an `instance`, or all instances with a `label` (`key:value`), were lost.";
    Current Shown View GET "/fleet" [None] fleet_table::table,
        "Lists all instances in columns, much shorter than `/instances`: what a page needs that shows 10,000 of them.";
    Classic Shown View GET "/instances" [Read] instances::list,
        "Lists the instances, newest registration first; pages by `limit` and `after`; `status`, `label` (`key:value`).";
    Classic ShownToWorker WorkState GET "/instances/{server_id}" [None] instances::detail,
        "Shows an instance and the streams assigned to it.";
    Current Shown View GET "/instances/{server_id}/explain" [None] explain::instance,
        "Explains whether an instance gets streams, which waiting ones it could have, and its fair share.";
    Current Shown View GET "/instances/{server_id}/story" [Read] events::instance_story,
        "Tells what happened to an instance, oldest first, one sentence each; `from`, `to`, `limit` (default 1,000), `after`.";
    Current Told WorkState GET "/instances/{server_id}/assignments" [Read] long_poll::assignments,
        "Long poll: answers as soon as the streams of the instance change; `version`, `wait` (default 0, at most 60 s), `incarnation`.";
    Current Ordered Work DELETE "/instances/{server_id}" [Read] instances::delete,
        "Removes an instance; its streams move at once, or when its lease is over. `reason`; `dry_run=true` only says what would happen.";
    Current Ordered Operate POST "/instances/{server_id}/cordon" [Read] planned::cordon,
        "Keeps an instance from getting streams; it keeps those it has. `reason`, `until`; `dry_run=true` only says whether it could.";
    Current Ordered Operate POST "/instances/{server_id}/uncordon" [Read] planned::uncordon,
        "Ends the cordon of an instance, and a drain that keeps streams away from it, also one under way. `reason`; `dry_run=true` only says whether it could.";
    Current Ordered Operate POST "/instances/{server_id}/drain" [Read] planned::drain,
        "Moves the streams of an instance to others and keeps it empty. `deadline`, `reason`, `force`; `dry_run=true` only plans.";
    Current Shown View GET "/instances/{server_id}/drain" [None] planned::drain_status,
        "Shows how far the last drain of an instance is, and its expected end.";
    Current Ordered Operate DELETE "/instances/{server_id}/drain" [Read] planned::cancel_drain,
        "Cancels the drain of an instance, which is active again; what has moved stays. `reason`.";
    Current Ordered Operate POST "/instances/{server_id}/maintenance" [Read] planned::maintenance,
        "Drains an instance, then expects its silence `until` a moment or `for` a time. `reason`; `dry_run=true` only plans.";
    Classic Shown View GET "/instances/{server_id}/metrics" [Read] instances::metrics,
        "Lists what an instance reported about its machine; `hours` (default 24), the newest 10,000 records.";
    Classic Shown View GET "/rebalance/check" [None] rebalance::check,
        "Shows how far each instance is from its fair share of the streams, and whether moves would help.";
    Classic Ordered Operate POST "/rebalance/smart" [Read] rebalance::smart,
        "Balances the fleet by the weights of the streams, with few moves; `reason`, `dry_run`.";
    Classic Ordered Operate POST "/rebalance/basic" [Read] rebalance::basic,
        "Balances the fleet by the number of streams; `reason`, `dry_run`.";
    Classic Shown View GET "/rebalance/stats" [None] rebalance::stats,
        "Counts the rebalances since the start of the program.";
    Classic Ordered Operate POST "/instances/{server_id}/failure" [Read] instances::failure,
        "Reports that an instance has failed; its streams move at once, or when its lease is over. `dry_run=true` only plans.";
    Classic ShownToWorker Work POST "/diagnostic" [Ignored] diagnostic::compare,
        "Compares the streams that a worker runs with the streams assigned to it.";
    Current Shown Administer GET "/webhooks" [None] webhooks::list,
        "Lists the receivers that are notified, and how each is; without secrets.";
    Current Ordered Administer PUT "/webhooks/{name}" [None] webhooks::put,
        "Creates or changes a receiver: `url`, `format`, `secret`, `types`, `min_severity`, `enabled`, `rotate_secret`. A secret that is made is in this answer only.";
    Current Ordered Administer DELETE "/webhooks/{name}" [None] webhooks::delete,
        "Deletes a receiver with its deliveries.";
    Current Ordered Administer POST "/webhooks/{name}/test" [None] webhooks::test,
        "Sends a test to a receiver now, once, and says how it ended.";
    Current Shown Administer GET "/webhooks/{name}/deliveries" [Read] webhooks::deliveries,
        "Lists messages on their way to a receiver, newest first; `state` (`pending`, `delivered`, `failed`), pages by `limit` (default 100) and `after`.";
    Current Ordered Administer POST "/webhooks/{name}/redeliver" [None] webhooks::redeliver,
        "Sends messages again: `ids`, or all `since` a moment.";
    Current Shown Administer GET "/keys" [Read] keys::list,
        "Lists the keys of callers, oldest first, without their secrets; pages by `limit` (default 1,000) and `after`.";
    Current Ordered Administer POST "/keys" [None] keys::create,
        "Makes a key: `name`, `role`, `server_ids`, `expires`. The key itself is in this answer only.";
    Current Ordered Administer DELETE "/keys/{id}" [None] keys::revoke,
        "Revokes a key: its requests are refused at once, and its long polls, event streams and sessions end.";
    Current Own Known GET "/whoami" [None] sessions::who_am_i,
        "Shows who the caller is: whether a key is needed, the name and role of its key, and until when it is good.";
    Current Own Public POST "/session" [None] sessions::begin,
        "Begins the session of a browser with a `key`: sets a cookie. A change by cookie needs the header `x-requested-with`.";
    Current Own Known DELETE "/session" [None] sessions::end,
        "Ends the session of a browser, and has it forget the cookie.";
    Current Ordered Operate POST "/rolls" [Read] rolls::start,
        "Drains a selection of instances, one batch after the other. `label`, `instances`, `max_unavailable`, `wait`, `deadline`, `reason`; `dry_run=true` only plans.";
    Current Shown View GET "/rolls" [Read] rolls::list,
        "Lists the rolls, newest first; pages by `limit` (default 100) and `after`.";
    Current Shown View GET "/rolls/{id}" [None] rolls::detail,
        "Shows a roll: its state, why it is paused, and how far it is with each instance.";
    Current Ordered Operate POST "/rolls/{id}/pause" [None] rolls::pause,
        "Has a roll begin nothing more. `reason`.";
    Current Ordered Operate POST "/rolls/{id}/resume" [Read] rolls::resume,
        "Has a paused roll go on. `reason`; `dry_run=true` only says what would happen.";
    Current Ordered Operate POST "/rolls/{id}/cancel" [None] rolls::cancel,
        "Ends a roll, and the drains that it has under way. `reason`.";
    Classic Shown View GET "/resilience/status" [None] health::status,
        "Health of the whole system with the rules that decide it, failures, breakers, brake and alerts.";
    Classic Shown View GET "/resilience/health" [None] health::health,
        "Health of the whole system, in short.";
    Current Shown View GET "/resilience/history" [Read] health::history,
        "Health history, newest first; `limit` (default 100), `before`.";
    Current Shown View GET "/resilience/alerts" [Read] alerts::alerts,
        "Alerts, newest first; `limit` (default 100), `after`, `open`, `kind`.";
    Current Ordered Operate POST "/resilience/alerts/{id}/acknowledge" [None] alerts::acknowledge,
        "Acknowledges an open alert, until it becomes more urgent; `note`.";
    Current Shown View GET "/resilience/silences" [None] silences::list,
        "Lists the active silences, newest first.";
    Current Ordered Operate POST "/resilience/silences" [None] silences::add,
        "Silences alerts: `matchers` (`name`: `kind`, `instance` or `label:KEY`; `value`; `is_regex`), `until` or `for`, `reason`.";
    Current Ordered Operate DELETE "/resilience/silences/{id}" [None] silences::end,
        "Ends a silence.";
    Current Shown View GET "/resilience/series" [Read] series::show,
        "Shows the recent past in numbers, with the events that explain it; `name` (`heartbeats`, `failures`, `moves`, `waiting`, `instances`, `load`), `from` (default 1 h ago), `to`, `step`.";
    Current Shown View GET "/resilience/patterns" [Read] patterns::patterns,
        "Reports what failures have in common, with the evidence; `days` (default 7, at most 30).";
    Classic Ordered Operate POST "/resilience/recovery/{server_id}" [None] recovery::force,
        "Forces the recovery of a failed instance now, or ends its maintenance.";
    Classic Ordered Operate POST "/resilience/emergency/{server_id}" [Read] recovery::emergency,
        "Takes all streams from an instance, even from one that sends heartbeats, and takes it out of use; `reason`; `dry_run=true` only plans.";
    Current Shown View GET "/resilience/consistency" [None] resilience::consistency,
        "Checks the invariants, and compares memory with the database; null means unknown.";
    Current Shown View GET "/resilience/incidents" [Read] resilience::incidents,
        "Recoveries, newest first; `limit` (default 100), `after`, `instance`, `state`, `from`, `to`.";
    Current Shown View GET "/resilience/incidents/{id}" [None] resilience::incident,
        "Shows a recovery with its steps and the whole chain (`story`, `moves`): the last heartbeat, late, failed, plan, moves with epochs, verification, and when each new owner had heard.";
    Current Shown View GET "/resilience/events" [Read] events::list,
        "The audit trail; `order` (`asc`, the default, or `desc`), `limit` (default 100), `after`, `instance`, `stream`, `incident`, `actor`, `kind` (several: commas), `from`, `to` (a time, or how long ago).";
    Current Shown View GET "/resilience/events/stream" [Read] follow::follow,
        "Events as they happen, as server-sent events; `after` or the header `Last-Event-ID`, and the filters of the list. Begins with what comes, or at `from`. `figures=true` and `beats` add frames that are no events.";
    Current Shown View GET "/resilience/brake" [None] brake::report,
        "Shows whether the recovery of a mass failure is held back, since and until when, and why.";
    Current Ordered Operate POST "/resilience/brake" [None] brake::order,
        "Releases or prolongs the hold of a mass failure; needs a reason.";
    Current Shown View GET "/resilience/breakers" [None] breakers::list,
        "Lists the circuit breakers: state, failures, next probe, what was forced and why.";
    Current Ordered Operate POST "/resilience/breakers/{name}" [None] breakers::force,
        "Forces a breaker `open` or `closed`, or releases it with `none`; needs a reason.";
    Current Own Public GET "/leader" [Ignored] cluster::leader,
        "200 on the orchestrator that leads and has proven it lately, 503 with the leader's address on any other; for load balancers.";
    Current Own View GET "/cluster" [None] cluster::cluster,
        "Shows who leads, since when, how fresh the proof is, and the standbys.";
    Current Own Administer POST "/cluster/take-over" [Read] cluster_orders::take_over,
        "Orders a standby to take over; `reason`, which must be given.";
    Current Ordered Administer POST "/cluster/step-down" [None] cluster_orders::step_down,
        "Orders the leader to hand over to another orchestrator (`to`, or the best one) and to go on as a standby; needs a reason, and one that is ready.";
    Current Ordered Administer DELETE "/cluster/members/{node}" [None] cluster_orders::forget,
        "Forgets an orchestrator that is away.";
    Current Own View GET "/settings" [None] shown_settings::settings,
        "Lists the settings in force, without passwords: where each value is from, and whether SIGHUP applies a new one.";
    Current Own Administer GET "/logs" [Read] logs::logs,
        "The last lines of the log of this process, oldest first, as `LOG_FORMAT=json` writes them; `limit` (default 100), `level` (that one and graver ones).";
    Classic Shown View GET "/status" [None] status::status,
        "Shows totals of instances, streams and load.";
    Classic Own Public GET "/health" [Ignored] status::health,
        "200 as long as heartbeats are answered, with or without database.";
    Classic Own Public GET "/ready" [Ignored] status::ready,
        "200 while traffic is welcome, also on a standby that reaches a proven leader; 503 before and after.";
    Current Own Public GET "/livez" [Ignored] status::livez,
        "200 while the process runs.";
    Current Own View GET "/metrics" [None] status::metrics,
        "Metrics for Prometheus: OpenMetrics if `Accept` prefers it, else its classic text format.";
    Current Own View GET "/openapi.json" [None] docs::description,
        "Describes this API: OpenAPI 3.1, with every route, body, answer, error and an example.";
    Current Own View GET "/docs" [None] docs::index,
        "Shows the description of the API in a browser; works without the internet.";
    Current Own View GET "/docs/{file}" [None] docs::file,
        "The files of that page.";
    Current Own Public GET "/" [None] console::index,
        "The console: the fleet in a browser, live; works without the internet.";
    Current Own Public GET "/console/{set}/{file}" [None] console::file,
        "The files of the console; `set` changes with their content, so browsers keep them.";
];

/// Returns every route that is served.
pub fn route_table() -> &'static [Route] {
    ROUTES
}

impl Route {
    /// Returns whether it is for orders of operators: they change the fleet, or who leads.
    fn is_order(&self) -> bool {
        match self.authority {
            Authority::Ordered => true,
            Authority::Own => {
                self.permission == Permission::Administer && self.method != Method::GET
            }
            Authority::Shown
            | Authority::ShownToWorker
            | Authority::Beat
            | Authority::Told
            | Authority::Judged => false,
        }
    }
}

/// Returns the path of the route that serves a request, as it stands in the table; `None` if there is
/// none.
pub(super) fn pattern_of(request: &HttpRequest) -> Option<&'static str> {
    // Nearly all requests: they must not cost a search.
    if request.path() == BEAT {
        return Some(BEAT);
    }
    let pattern = request.match_pattern()?;
    let found = ROUTES.iter().find(|route| route.path == pattern);
    found.map(|route| route.path)
}

/// Returns whether a route, by the path of the table, is for orders of operators.
pub(super) fn is_order(path: &str, method: &Method) -> bool {
    let mut routes = ROUTES.iter();
    let found = routes.find(|route| route.path == path && route.method == *method);
    found.is_some_and(Route::is_order)
}

/// The path of heartbeats.
pub(super) const BEAT: &str = "/heartbeat";

/// Returns the routes as a table for the README.
pub fn markdown_route_table() -> String {
    let mut table = String::from(
        "| method | path | what it does | role | spoken by |\n| --- | --- | --- | --- | --- |\n",
    );
    for route in ROUTES {
        let origin = match route.origin {
            Contract::Classic => "classic workers",
            Contract::Current => "",
        };
        table.push_str(&format!(
            "| {} | `{}` | {} | {} | {origin} |\n",
            route.method,
            route.path,
            route.meaning,
            route.permission.needed()
        ));
    }
    table
}

/// Serves every route, and answers everything else as the contract says.
pub fn configure(config: &mut web::ServiceConfig) {
    let mut paths: BTreeMap<&'static str, Vec<&Route>> = BTreeMap::new();
    for route in ROUTES {
        paths.entry(route.path).or_default().push(route);
    }
    // Fixed paths sort before those with a parameter in the same place (`a` < `{`), and the first
    // match serves the request.
    for (path, routes) in paths {
        let mut resource = web::resource(path);
        let mut allowed = Vec::new();
        for route in routes {
            allowed.push(route.method.clone());
            let methods = guard::Any(guard::Method(route.method.clone()));
            let methods = if route.method == Method::GET {
                allowed.push(Method::HEAD);
                methods.or(guard::Head())
            } else {
                methods
            };
            let served = match route.parameters {
                Parameters::None => (route.handler)().wrap(middleware::from_fn(refuse_any)),
                Parameters::Ignored | Parameters::Read => (route.handler)(),
            };
            let served = guard_route(route, served);
            resource = resource.route(served.guard(methods));
        }
        config.service(resource.default_service(web::to(move || {
            let problem = Problem::method_not_allowed(&allowed);
            async move { Err::<&'static str, Problem>(problem) }
        })));
    }
    config.default_service(web::to(unknown_route));
}

/// Has a route ask for its caller, before anything else of the request is looked at.
fn guard_route(route: &Route, served: actix_web::Route) -> actix_web::Route {
    let needed = Needed {
        permission: route.permission,
        is_order: route.is_order(),
    };
    match route.permission {
        Permission::Public => served,
        Permission::Known
        | Permission::Work
        | Permission::WorkState
        | Permission::View
        | Permission::Operate
        | Permission::Administer => {
            let layer =
                move |request: ServiceRequest, next: Next<BoxBody>| guarded(needed, request, next);
            served.wrap(middleware::from_fn(layer))
        }
    }
}

async fn unknown_route() -> Result<&'static str, Problem> {
    Err(Problem::unknown_route())
}
