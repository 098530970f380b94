//! Plans for small fleets, as text; laws of plans; and the least number of moves, by trying all.

mod balancer;
mod golden;
mod kit;
mod laws;
mod least;
