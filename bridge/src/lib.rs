//! Landbridge, a gateway between Dubbo2 with ZooKeeper and an Istio mesh.
//!
//! | module | what |
//! | --- | --- |
//! | [`config`] | reads and checks the file; each section lives with the module it configures |
//! | [`app`] | wires, starts and drains everything |
//! | [`admin`] | the operator's port |
//! | [`telemetry`] | logs and metrics |
//! | [`cli`] | the program's commands |
//! | [`explain`] | what is known of a service, and where its calls would go |
//! | [`route`], [`balance`] | where a call goes, and which endpoint takes it |
//! | [`worker`] | data-plane threads, what they share and what they count |
//! | [`listener`] | accepts calls from downstream |
//! | `call`, `upstream` | the path of one call; places it on an endpoint |
//! | [`error`], [`status`] | why there is no reply, and what a peer sees then |
//! | [`limits`], [`tasks`] | what bounds a call; spawning, draining, aborting |

pub mod admin;
pub mod app;
pub mod balance;
mod call;
pub mod cli;
mod coalesce;
pub mod config;
mod crossing;
pub mod error;
pub mod explain;
pub mod limits;
pub mod listener;
#[cfg(test)]
mod rig;
pub mod route;
mod socket;
pub mod status;
pub mod tasks;
pub mod telemetry;
mod upstream;
pub mod worker;
