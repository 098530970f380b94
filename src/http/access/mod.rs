//! Who calls: every route that asks for a role goes through [`guarded`], which knows the caller or refuses the request.
//!
//! ```text
//!   route of the table ─▶ guarded ─▶ credential: header, cookie, certificate, trusted network ─▶ Caller ─▶ permission ─▶ handler
//!                                         │ none, bad                                          │ another role
//!                                         401, too often 429                                   403
//! ```
//!
//! The layer belongs to the route, not to the path: the router decodes a path before it chooses a route, so a rule about
//! the text of the path could be passed by another spelling. A caller is recognized by one file, `recognition`; another
//! way to recognize one is another step there. Handlers get it as a [`Sender`], which also holds a worker
//! to its `server_id`s.
//!
//! | file | question |
//! | --- | --- |
//! | `recognition` | who calls, and from where |
//! | `rules` | by what is a caller recognized |
//! | `guard` | may that caller use this route, and what is it told if not |
//! | `sender` | for which `server_id`s; when does a wait end because the caller is not good any more |
//! | `cookie` | how a browser keeps a session |

mod cookie;
mod guard;
mod recognition;
mod rules;
mod sender;

pub(super) use self::cookie::{ended_cookie, session_cookie};
pub(super) use self::guard::{Needed, guarded, recognize_key};
pub(super) use self::recognition::channel_of;
pub use self::rules::Access;
pub(super) use self::sender::Sender;
