//! Landbridge, a gateway between Dubbo2 with ZooKeeper and an Istio mesh.
//!
//! | module | what |
//! | --- | --- |
//! | [`config`] | reads and checks the file; each section lives with the module it configures |
//! | [`app`] | wires, starts and drains everything |
//! | [`admin`] | the operator's port |
//! | [`telemetry`] | logs and metrics |
//! | [`cli`] | the program's commands |

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod telemetry;
