//! Instances, streams and where the streams are.

mod instance;
mod placement;
mod stream;

pub(in crate::store) use instance::InstanceRow;
pub(in crate::store) use placement::PlacementRow;
pub(in crate::store) use stream::StreamRow;

#[cfg(test)]
mod tests;
