//! Every statement of `store/postgres/operations.rs`, compiled for a blocking connection.

include!(concat!(env!("OUT_DIR"), "/blocking_operations.rs"));
