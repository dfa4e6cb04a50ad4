//! Simulated islands: scripted peers on loopback sockets, for the tests and for `landbridge demo`.
//!
//! They speak from bytes written by hand after the wire specifications and from captures of real peers, never through
//! the gateway's own codecs: what the gateway gets wrong must not be wrong here, too.
//!
//! | module | what |
//! | --- | --- |
//! | [`dubbo_consumer`], [`dubbo_provider`] | Dubbo2, with faults on command |
//! | [`mesh_consumer`], [`mesh_provider`] | Triple and gRPC, with faults on command |
//! | [`zookeeper`] | a ZooKeeper server, with cuts, silence and expired sessions on command |
//! | [`istiod`] | delta ADS from objects of the test or of an MCP source, with faults on command |
//! | [`ports`] | free ports, and closed ones |
//! | [`dubbo2`], [`hessian`], [`triple`], [`proto`] | the bytes they speak |

pub mod dubbo2;
pub mod dubbo_consumer;
pub mod dubbo_provider;
pub mod hessian;
pub mod istiod;
pub mod mesh_consumer;
pub mod mesh_provider;
pub mod ports;
pub mod proto;
pub mod task;
pub mod triple;
pub mod zookeeper;
