//! Every statement of `store/postgres/leading.rs`, compiled for a blocking connection.

include!(concat!(env!("OUT_DIR"), "/blocking_leading.rs"));
