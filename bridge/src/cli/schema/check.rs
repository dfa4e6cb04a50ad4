//! `landbridge schema check`: the load checks on bindings with their descriptors, every fault in one run.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use codecs::protobuf::{Bindings, LoadError, Schema};

use super::input;
use crate::cli::{Failure, Output, say};

/// Check binding files with their descriptors, or a .proto or descriptor set whose options bind it, and tell every fault
///
/// Ends with 0 when everything loads as the gateway would load it, with 1 when there is a fault, or something that breaks
/// callers of --against; each is told with file, service, method and field. Names of fields and arguments may change.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Binding files; or .proto files and descriptor sets, bound by their options alone
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where imports of a .proto are looked for, besides its own folder
    #[arg(long, value_name = "FOLDER")]
    include: Vec<PathBuf>,
    /// An older form of the one file given: tell what breaks its callers, too
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.against.is_some() && arguments.files.len() != 1 {
        return Err(Failure::Wrong("--against is for one file".to_owned()));
    }
    for folder in &arguments.include {
        if !folder.is_dir() {
            return Err(Failure::Wrong(format!(
                "--include {} is no folder",
                folder.display()
            )));
        }
    }
    let mut faults = Vec::new();
    let mut all = Bindings::default();
    let mut lines = Vec::new();
    for file in &arguments.files {
        match load(file, &arguments.include) {
            Ok(bindings) => {
                let methods: usize = bindings
                    .services()
                    .iter()
                    .map(|service| service.methods.len())
                    .sum();
                let services = bindings.services().len();
                if services == 0 {
                    faults.push(unbound(file));
                    continue;
                }
                lines.push(format!(
                    "{}: ok, {services} services, {methods} methods",
                    file.display()
                ));
                if let Some(old) = &arguments.against {
                    faults.extend(broken(file, &bindings, old, &arguments.include));
                }
                faults.extend(all.merge(bindings).err());
            }
            Err(more) => faults.extend(more),
        }
    }
    if arguments.output == Output::Json {
        let faults: Vec<serde_json::Value> = faults.iter().map(json).collect();
        let text = serde_json::json!({"ok": faults.is_empty(), "faults": faults});
        say(&serde_json::to_string_pretty(&text).unwrap_or_default())?;
    } else {
        for line in &lines {
            say(line)?;
        }
    }
    match faults.split_last() {
        None => Ok(()),
        Some(_) if arguments.output == Output::Json => Err(anyhow!("{} faults", faults.len()).into()),
        Some((last, others)) => {
            for fault in others {
                crate::cli::complain(&fault.to_string());
            }
            Err(anyhow!("{last}").into())
        }
    }
}

/// A file that is empty, or lists no service, loads; it does nothing, which nobody wrote a file for.
fn unbound(file: &Path) -> LoadError {
    LoadError {
        file: file.display().to_string(),
        object: String::new(),
        member: String::new(),
        problem: "binds no service".to_owned(),
    }
}

/// What of a file breaks callers of an older one.
fn broken(file: &Path, new: &Bindings, old: &Path, include: &[PathBuf]) -> Vec<LoadError> {
    let old = match load(old, include) {
        Ok(loaded) if loaded.services().is_empty() => return vec![unbound(old)],
        Ok(old) => old,
        Err(faults) => return faults,
    };
    let (Some(old), Some(new)) = (old.schemas().first(), new.schemas().first()) else {
        return Vec::new();
    };
    let fault = |broken: codecs::protobuf::compare::Break| LoadError {
        file: file.display().to_string(),
        object: broken.object,
        member: broken.member,
        problem: format!("{} (breaks callers)", broken.problem),
    };
    codecs::protobuf::compare::breaks(old, new)
        .into_iter()
        .map(fault)
        .collect()
}

fn json(fault: &LoadError) -> serde_json::Value {
    serde_json::json!({
        "file": fault.file,
        "object": fault.object,
        "member": fault.member,
        "problem": fault.problem,
    })
}

/// A file as the gateway would load it.
fn load(file: &Path, include: &[PathBuf]) -> Result<Bindings, Vec<LoadError>> {
    let shown = file.display().to_string();
    let fault = |problem: String| LoadError {
        file: shown.clone(),
        object: String::new(),
        member: String::new(),
        problem,
    };
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let mut read = |name: &str| {
        let mut first = input::bytes(&folder.join(name));
        for folder in include {
            if first.is_ok() {
                break;
            }
            if let Ok(bytes) = input::bytes(&folder.join(name)) {
                first = Ok(bytes);
            }
        }
        first.map_err(|error| format!("{error:#}"))
    };
    let kind = file.extension().and_then(|extension| extension.to_str());
    if matches!(kind, Some("proto" | "pb" | "protoset" | "bin" | "desc")) {
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| vec![fault("has no name in UTF-8".to_owned())])?;
        let yaml = bound_by_options(name, &mut read).map_err(|faults| {
            let named = faults.into_iter().map(|mut fault| {
                fault.file.clone_from(&shown);
                fault
            });
            named.collect::<Vec<_>>()
        })?;
        return Bindings::load_all(&shown, &yaml, &mut read);
    }
    let yaml = input::text(file).map_err(|error| vec![fault(format!("{error:#}"))])?;
    Bindings::load_all(&shown, &yaml, &mut read)
}

/// A binding that leaves everything to the options of a file.
fn bound_by_options(
    name: &str,
    read: &mut codecs::protobuf::schema::ReadFile<'_>,
) -> Result<String, Vec<LoadError>> {
    let schema = Schema::load(&[name.to_owned()], &[], read)?;
    let services: Vec<serde_json::Value> = schema
        .services()
        .map(|service| serde_json::json!({"proto": service}))
        .collect();
    if services.is_empty() {
        return Err(vec![LoadError {
            file: String::new(),
            object: String::new(),
            member: String::new(),
            problem: "has no service".to_owned(),
        }]);
    }
    // JSON is YAML.
    Ok(serde_json::json!({"descriptors": [name], "services": services}).to_string())
}
