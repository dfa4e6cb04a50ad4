//! The one file that knows all the others: wires, starts and drains the gateway.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

/// The section `bridge`: who this gateway is.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name that all replicas of this gateway share. It marks what they announce.
    pub installation: String,
    /// This replica's name, unlike that of every other replica.
    pub replica: String,
    /// Data-plane threads; absent for one a core.
    pub workers: Option<NonZeroUsize>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            installation: "landbridge".to_owned(),
            replica: "0".to_owned(),
            workers: None,
        }
    }
}
