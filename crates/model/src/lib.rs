//! Models of leases, hand-overs, leaders and fail-overs, checked for every order of events. The models are tests, in
//! `tests/model/main.rs`, and this library is empty: they are a package of their own because they look at
//! millions of states, and a package can be optimized alone.
