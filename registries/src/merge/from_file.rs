//! What a file says of services, beside what the registries say.

use std::sync::Arc;

use codecs::ServiceKey;

use super::{Bound, Merger};
use crate::directory::{CatchAll, CatchAllSide, Cluster, Endpoint, LegacySide, MeshSide, Service};
use crate::file::Sides;

impl Merger {
    /// What the operator wrote into a file goes before what a registry says.
    pub(super) fn beside_file(
        &mut self,
        file: &Sides,
        legacy: Option<LegacySide>,
        mesh: Option<MeshSide>,
        notes: &mut Vec<String>,
    ) -> (Option<LegacySide>, Option<MeshSide>) {
        let sides = self.adopt(file);
        for (written, known, island) in [
            (sides.legacy.is_some(), legacy.is_some(), "legacy"),
            (sides.mesh.is_some(), mesh.is_some(), "mesh"),
        ] {
            if written && known {
                notes.push(format!(
                    "the file's providers are used, though the {island} registry has some"
                ));
            }
        }
        (sides.legacy.or(legacy), sides.mesh.or(mesh))
    }

    /// A file's sides with the counters of this process.
    fn adopt(&mut self, sides: &Sides) -> Sides {
        let options = &self.options;
        let pool = &mut self.pool;
        let mut adopt = |cluster: &Arc<Cluster>| {
            let endpoints = cluster.endpoints.iter().map(|endpoint| {
                Arc::new(Endpoint {
                    weight: endpoint.weight,
                    state: pool.endpoint(endpoint.address),
                    ..Endpoint::new(endpoint.address, endpoint.protocol)
                })
            });
            let adopted = Cluster::new(cluster.name.clone(), endpoints.collect())
                .with_limits(options.connect_timeout, options.max_requests)
                .with_state(pool.cluster(&cluster.name));
            Arc::new(adopted)
        };
        Sides {
            legacy: sides.legacy.as_ref().map(|side| LegacySide {
                cluster: adopt(&side.cluster),
                ..side.clone()
            }),
            mesh: sides.mesh.as_ref().map(|side| MeshSide {
                clusters: side.clusters.iter().map(&mut adopt).collect(),
                ..side.clone()
            }),
        }
    }

    /// What takes the calls of services that nobody names: the file's `*`, once plain and once for every binding.
    pub(super) fn catch_all(&mut self) -> CatchAll {
        let Some(any) = self.file.any.clone() else {
            return CatchAll::default();
        };
        let sides = self.adopt(&any);
        let service = |key: &ServiceKey, bound: Option<&Bound>| {
            Arc::new(Service {
                stage: self.stages.of(key).stage,
                legacy: sides.legacy.clone(),
                mesh: sides.mesh.clone(),
                binding: bound.and_then(|bound| bound.binding.clone()),
                methods: bound.map(|bound| bound.methods.clone()).unwrap_or_default(),
                pinned: bound.and_then(|bound| bound.pinned),
                ..Service::new(key.clone())
            })
        };
        let mut bound: Vec<(Arc<str>, Arc<Service>)> = Vec::new();
        for (key, entry) in self.bindings.services.iter() {
            let service = service(key, Some(entry));
            let names = self.names_of(key);
            bound.extend(names.into_iter().map(|name| (name, service.clone())));
        }
        bound.sort_by(|(a, one), (b, other)| (a, &one.key).cmp(&(b, &other.key)));
        let side = Arc::new(CatchAllSide {
            template: service(&ServiceKey::new("*", "", ""), None),
            bound,
        });
        CatchAll {
            legacy: Some(side.clone()),
            mesh: Some(side),
        }
    }
}
