//! For the tests of a worker.
