//! The section `bindings`: what pairs Java interfaces with protobuf services and with hosts of the mesh.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codecs::ServiceKey;
use codecs::protobuf::binding;
use registries::directory::Mode;
use registries::merge::{Bindings, Bound};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::Config;
use super::islands::Lacking;
use super::place::{Problem, Problems};

/// One entry: a binding file, or a service's place in the mesh.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Binding {
    /// A file that binds Java methods and classes to rpcs and messages.
    File(PathBuf),
    /// Where a service is in the mesh, and how its payloads cross.
    Place(Place),
}

/// Where a service is in the mesh, and how its payloads cross.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its key.
    pub service: ServiceKey,
    /// Its host in the mesh; absent for the derived or declared one.
    #[serde(default)]
    pub host: Option<String>,
    /// Its port there; absent for the mesh's usual one.
    #[serde(default)]
    pub port: Option<u16>,
    /// The mode of all its methods; absent to decide by method.
    #[serde(default)]
    pub mode: Option<Mode>,
}

impl<'de> Deserialize<'de> for Binding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry;
        impl<'de> Visitor<'de> for Entry {
            type Value = Binding;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a binding file, or `service` with its `host`")
            }

            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<Binding, E> {
                Ok(Binding::File(path.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Binding, A::Error> {
                Place::deserialize(MapAccessDeserializer::new(map)).map(Binding::Place)
            }
        }
        deserializer.deserialize_any(Entry)
    }
}

/// The most that a binding file or its descriptors may hold.
const MOST: u64 = 64 << 20;

/// A configuration with everything that it names loaded: ready to be started.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The configuration.
    pub config: Config,
    /// What is missing on this machine, and may be there where the gateway runs.
    pub warnings: Vec<Problem>,
    /// What pairs the two sides.
    pub(crate) bindings: Bindings,
}

impl Prepared {
    /// Reads a file and all that it names.
    ///
    /// # Errors
    /// Everything found wrong, each at its place.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        Self::of(Config::load(path)?)
    }

    /// Loads what a configuration names.
    ///
    /// # Errors
    /// Everything found wrong with it, each at the entry that names it.
    pub fn of(config: Config) -> Result<Self, Problems> {
        let lacking = config
            .mesh
            .as_ref()
            .and_then(|mesh| mesh.credentials(&config.source));
        let prepared = Self::reading(config, &mut |path| super::read(path, MOST));
        match lacking {
            Some(Lacking::Fault(fault)) => Err(Problems::and(prepared.err(), fault)),
            Some(Lacking::Warning(warning)) => {
                let mut prepared = prepared?;
                prepared.warnings.push(warning);
                Ok(prepared)
            }
            None => prepared,
        }
    }

    /// The same, with files that are read otherwise than from disk.
    ///
    /// # Errors
    /// Everything found wrong with what the configuration names.
    pub fn reading(
        config: Config,
        read: &mut dyn FnMut(&Path) -> Result<Vec<u8>, String>,
    ) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut bindings = Bindings::default();
        for entry in &config.bindings {
            let result = match &entry.value {
                Binding::File(path) => load_file(&config.source.resolve(path), read, &mut bindings),
                Binding::Place(_) => Ok(()),
            };
            if let Err(message) = result {
                problems.push(config.source.problem(entry.referenced, message));
            }
        }
        // Places add to what the files bind, wherever they stand.
        for entry in &config.bindings {
            if let Binding::Place(place) = &entry.value
                && let Err(message) = add_place(place, &mut bindings)
            {
                problems.push(config.source.problem(entry.referenced, message));
            }
        }
        let warnings = Vec::new();
        let prepared = Self {
            config,
            warnings,
            bindings,
        };
        Problems::none_or(problems, prepared)
    }
}

fn load_file(
    path: &Path,
    read: &mut dyn FnMut(&Path) -> Result<Vec<u8>, String>,
    bindings: &mut Bindings,
) -> Result<(), String> {
    let shown = path.display().to_string();
    let text = read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let text = String::from_utf8(text).map_err(|_| format!("{shown} is not UTF-8"))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut read_beside = |name: &str| read(&folder.join(name));
    let loaded = binding::Bindings::load_all(&shown, &text, &mut read_beside).map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        match faults.len() {
            0 | 1 => first,
            count => format!(
                "{first} (and {} more: `landbridge schema check {shown}` tells them)",
                count - 1
            ),
        }
    })?;
    if loaded.services().is_empty() {
        return Err(format!("{shown} binds no service"));
    }
    for service in loaded.services() {
        if bindings.services.get(&service.key).is_some() {
            return Err(format!("{shown}: {} is bound in another file, too", service.key));
        }
        let methods = service
            .methods
            .iter()
            .map(|method| Arc::from(method.java.as_str()));
        let bound = Bound {
            binding: Some(service.clone()),
            names: vec![service.proto.as_str().into()],
            methods: methods.collect(),
            ..Bound::default()
        };
        bindings.services.insert(service.key.clone(), Arc::new(bound));
    }
    Ok(())
}

fn add_place(place: &Place, bindings: &mut Bindings) -> Result<(), String> {
    let mut bound = bindings
        .services
        .get(&place.service)
        .map(|bound| (**bound).clone())
        .unwrap_or_default();
    if bound.host.is_some() || bound.pinned.is_some() {
        return Err(format!("service {} stands here twice", place.service));
    }
    if place.mode == Some(Mode::Protobuf) && bound.binding.is_none() {
        return Err(format!(
            "mode protobuf, but no binding file binds {}",
            place.service
        ));
    }
    if let Some(host) = place
        .host
        .as_ref()
        .filter(|host| !registries::istiod::names::is_host(host))
    {
        return Err(format!("{host:?} is no lower-case DNS name"));
    }
    bound.host = place.host.as_deref().map(Arc::from);
    bound.port = place.port;
    bound.pinned = place.mode;
    bindings.services.insert(place.service.clone(), Arc::new(bound));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::config::Source;

    const BINDING: &str = include_str!("../../../examples/translator/binding.yaml");
    const PROTO: &str = include_str!("../../../examples/translator/catalog.proto");

    fn prepare(bindings: &str, files: &[(&str, &str)]) -> Result<Prepared, String> {
        let text = format!("version: 1\nservices: [{{service: '*', triple: 'a:1'}}]\nbindings:\n{bindings}");
        let config = Config::parse(Source::new("conf/landbridge.yaml", text), HashMap::new()).unwrap();
        let mut read = |path: &Path| -> Result<Vec<u8>, String> {
            let found = files
                .iter()
                .find(|(name, _)| Path::new("conf").join(name) == path);
            found
                .map(|(_, text)| text.as_bytes().to_vec())
                .ok_or_else(|| "no such file".to_owned())
        };
        Prepared::reading(config, &mut read).map_err(|problems| problems.to_string())
    }

    #[test]
    fn loads_the_example_beside_its_proto() {
        let files = [("binding.yaml", BINDING), ("catalog.proto", PROTO)];
        let prepared = prepare("- binding.yaml\n", &files).unwrap();
        let key: ServiceKey = "com.acme.catalog.CatalogService".parse().unwrap();
        let bound = prepared.bindings.services.get(&key).unwrap();
        assert_eq!(
            bound.names.first().map(|name| &**name),
            Some("acme.catalog.v1.Catalog")
        );
        assert_eq!(bound.methods.len(), 2);
        let placed =
            "- binding.yaml\n- {service: com.acme.catalog.CatalogService, host: catalog.shop, port: 80}\n";
        let prepared = prepare(placed, &files).unwrap();
        let bound = prepared.bindings.services.get(&key).unwrap();
        assert_eq!(
            (bound.host.as_deref(), bound.port),
            (Some("catalog.shop"), Some(80))
        );
        assert!(bound.binding.is_some());
    }

    #[test]
    fn refuses_at_the_entry() {
        let missing_rpc = BINDING.replace("rpc: Price", "rpc: Prise");
        for (bindings, files, words) in [
            (
                "- binding.yaml\n",
                vec![],
                "conf/binding.yaml cannot be read: no such file",
            ),
            (
                "- binding.yaml\n",
                vec![("binding.yaml", BINDING)],
                "catalog.proto",
            ),
            (
                "- binding.yaml\n",
                vec![("binding.yaml", &*missing_rpc), ("catalog.proto", PROTO)],
                "Prise",
            ),
            (
                "- binding.yaml\n",
                vec![("binding.yaml", BINDING), ("catalog.proto", "message {")],
                "catalog.proto",
            ),
            (
                "- binding.yaml\n",
                vec![("binding.yaml", "services: 1")],
                "binding.yaml",
            ),
            (
                "- binding.yaml\n",
                vec![("binding.yaml", "")],
                "binding.yaml binds no service",
            ),
            (
                "- {service: a.B, mode: protobuf}\n",
                vec![],
                "no binding file binds a.B",
            ),
            (
                "- {service: a.B, host: Bad_Host}\n",
                vec![],
                "no lower-case DNS name",
            ),
        ] {
            let error = prepare(bindings, &files).expect_err(words);
            assert!(
                error.starts_with("conf/landbridge.yaml:4:3: ") && error.contains(words),
                "{error}"
            );
        }
    }
}
