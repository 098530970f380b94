//! Every statement of `store/postgres/keeping_keys.rs`, compiled for a blocking connection.

include!(concat!(env!("OUT_DIR"), "/blocking_keeping_keys.rs"));
