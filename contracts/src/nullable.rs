//! Reads a member that may be absent, null or a value, without mixing up the first two.

use serde::{Deserialize, Deserializer};

/// For `#[serde(default, deserialize_with = …)]` on an `Option<Option<T>>`: a present null becomes
/// `Some(None)`; an absent member stays `None` by the default.
///
/// # Errors
/// Those of `T`.
pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
