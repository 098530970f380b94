//! Every statement of `store/postgres/notifying.rs`, compiled for a blocking connection.

include!(concat!(env!("OUT_DIR"), "/blocking_notifying.rs"));
