//! What is out there in both registries, and what the gateway announces there.
//!
//! ```text
//! zookeeper ─ watch ─► LegacyView ┐
//! istiod    ─ ADS  ──► MeshView   ├─ merge (pure) ─► Directory ─► ArcSwap, read by the workers
//! file      ─ read ──► both       ┘                     └─► publish (pure) ─► zookeeper::publish, istiod::publish
//! bindings  ─ read ───────────────┘
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`directory`] | [`directory::Directory`]: services, clusters, endpoints and routes; data and look-ups only |
//! | [`route`] | the validated routing rules of a mesh host, as data |
//! | [`legacy_view`], [`mesh_view`] | what one island's registry says, before it is merged |
//! | [`merge`] | pure: views, bindings and stages to a Directory, one service at a time |
//! | [`publish`] | pure: a Directory and our identity to the records we must own; the difference to what we own |
//! | [`mod@file`] | services, endpoints and routes written in YAML, for a gateway without a registry |
//! | [`zookeeper`] | sessions, watches, our provider nodes |
//! | [`istiod`] | ADS, and the three ways of registering in the mesh |
//! | [`sharded`] | the persistent map behind every snapshot |
//!
//! Nothing here spawns: each source and writer is a future that `bridge::app` runs.

// The derives of the xDS messages name their crate `::prost`; xds-api is built on prost 0.13.
extern crate prost013 as prost;

pub mod directory;
pub mod file;
pub mod istiod;
pub mod legacy_view;
pub mod merge;
pub mod mesh_view;
pub mod publish;
pub mod route;
pub mod sharded;
pub mod zookeeper;
