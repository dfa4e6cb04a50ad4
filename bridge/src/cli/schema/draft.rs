//! `landbridge schema draft`: a `.proto`, a binding, a lock file and a descriptor set for each Java package.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use codecs::protobuf::draft::{
    self, Draft, DraftError, Input, Kind, Note, OPTIONS_FILE, OPTIONS_PROTO, Source,
};

use super::input::{self, Center, Found};
use super::output::{self, File, Staged, is_drafted};
use crate::cli::{Failure, say};

/// Draft a .proto, its binding and a lock file from the service definitions of a metadata center
///
/// Definitions are the JSON that providers with a metadata report write. For each Java package there are, below --out:
/// PACKAGE.proto, PACKAGE.yaml (the binding), PACKAGE.lock.json (numbers and names given so far: commit it), PACKAGE.pb
/// (the compiled .proto with its imports), and the declaration of the options that the .proto uses. The same
/// definitions, hints and lock give the same bytes. The report (what was left out, guessed, or breaks callers) goes to
/// standard error.
///
/// Ends with 0 when something was drafted and written; 1 when nothing could be, a file was edited since, or --check found
/// a difference; 2 when the command line, the hints or the lock file are wrong.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files with a definition or a list of them, or folders of .json files
    #[arg(required_unless_present = "zookeeper", value_name = "FILE|FOLDER")]
    definitions: Vec<PathBuf>,
    #[command(flatten)]
    center: Center,
    /// What definitions do not say (YAML): parameter names, type arguments, nested classes, exceptions
    #[arg(long, value_name = "FILE")]
    hints: Option<PathBuf>,
    /// The lock file, where it is not PACKAGE.lock.json below --out; for one package
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Where the drafted files go
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// Write the report into a file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Overwrite files that were edited since they were drafted
    #[arg(long)]
    force: bool,
    /// Write nothing; end with 1 when a file would change
    #[arg(long, conflicts_with = "force")]
    check: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let hints = arguments.hints.as_deref().map(input::text).transpose();
    let hints = hints.map_err(|error| Failure::Wrong(format!("{error:#}")))?;
    let mut found = match arguments.center.read() {
        Some(read) => skipping(read?, arguments, hints.as_deref())?,
        None => input::files(&arguments.definitions)?,
    };
    let mut report = Report::default();
    report.lines.extend(
        found
            .refused
            .drain(..)
            .map(|line| format!("cannot be read: {line}")),
    );
    let drafts = drafts(arguments, &found, hints.as_deref(), &mut report)?;
    if let Some(path) = &arguments.report {
        let given = arguments.definitions.iter().chain(&arguments.hints);
        let written = drafts.iter().flat_map(|package| package.files(&arguments.out));
        let written: Vec<PathBuf> = written.map(|file| file.path().to_owned()).collect();
        if given.chain(&written).any(|other| is_same(path, other)) {
            let text = format!(
                "--report {} would overwrite what is read or drafted",
                path.display()
            );
            return Err(Failure::Wrong(text));
        }
    }
    // First: where it cannot be told what was left out, nothing is written.
    report.tell(arguments.report.as_deref())?;
    if drafts.is_empty() {
        return Err(anyhow!("no method can be drafted: see the report").into());
    }
    write(arguments, &drafts)
}

/// Whether two paths name one file, which may not be there.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || match (std::fs::canonicalize(one), std::fs::canonicalize(other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
}

/// What one node of a metadata center holds must not keep the others from being drafted.
fn skipping(found: Found, arguments: &Arguments, hints: Option<&str>) -> Result<Found, Failure> {
    let mut kept = Found {
        refused: found.refused,
        ..Found::default()
    };
    for (origin, text) in found.definitions {
        let source = Source {
            origin: &origin,
            text: &text,
        };
        match draft::packages(&[source], hints) {
            Err(error @ DraftError::Definition { .. }) => kept.refused.push(error.to_string()),
            Err(error) => return Err(failure(arguments, error)),
            Ok(_) => kept.definitions.push((origin, text)),
        }
    }
    Ok(kept)
}

/// A package's draft and where its files go.
struct Package {
    name: String,
    lock: PathBuf,
    draft: Draft,
}

impl Package {
    fn files(&self, out: &Path) -> Vec<File> {
        let beside = |extension: &str| out.join(format!("{}.{extension}", stem(&self.name)));
        let proto = beside("proto");
        vec![
            // First: a number that was given must never be given again.
            File::continued(self.lock.clone(), self.draft.lock.clone()),
            File::marked(out.join(OPTIONS_FILE), "//", OPTIONS_PROTO),
            File::made_from(beside("pb"), &proto, self.draft.descriptor_set.clone()),
            File::marked(proto, "//", &self.draft.proto),
            File::marked(beside("yaml"), "#", &self.draft.binding),
        ]
    }
}

/// The files' name: the package's, or what stands for none.
fn stem(package: &str) -> &str {
    if package.is_empty() { "default" } else { package }
}

fn drafts(
    arguments: &Arguments,
    found: &Found,
    hints: Option<&str>,
    report: &mut Report,
) -> Result<Vec<Package>, Failure> {
    let sources: Vec<Source<'_>> = found
        .definitions
        .iter()
        .map(|(origin, text)| Source { origin, text })
        .collect();
    let packages = draft::packages(&sources, hints).map_err(|error| failure(arguments, error))?;
    if arguments.lock.is_some() && packages.len() > 1 {
        let names: Vec<&str> = packages.keys().map(String::as_str).collect();
        return Err(Failure::Wrong(format!(
            "--lock is of one package, and these are of {}: {}; leave it out, and each has its own below --out",
            names.len(),
            names.join(", ")
        )));
    }
    let mut drafted = Vec::new();
    let mut unused: Option<BTreeSet<String>> = None;
    for (name, places) in packages {
        let lock = match &arguments.lock {
            Some(lock) => lock.clone(),
            None => arguments.out.join(format!("{}.lock.json", stem(&name))),
        };
        let locked = locked(&lock)?;
        let proto = arguments.out.join(format!("{}.proto", stem(&name)));
        if locked.is_none() && !arguments.force && is_drafted(&proto) {
            return Err(Failure::Wrong(format!(
                "{} was drafted before, and its lock file {} is not there: without it all numbers would be given anew, and \
                 callers of the old ones would misread every message; bring the lock file back, or --force",
                proto.display(),
                lock.display()
            )));
        }
        let definitions: Vec<Source<'_>> = places
            .iter()
            .filter_map(|place| sources.get(*place))
            .copied()
            .collect();
        let draft = draft::draft(&Input {
            definitions: &definitions,
            hints,
            lock: locked.as_deref(),
            proto_file: &format!("{}.proto", stem(&name)),
        });
        match draft {
            Ok(draft) => {
                report.add(&name, draft.rpcs, &draft.notes);
                unused = Some(match unused {
                    Some(unused) => unused.intersection(&draft.unused_hints).cloned().collect(),
                    None => draft.unused_hints.clone(),
                });
                drafted.push(Package { name, lock, draft });
            }
            Err(DraftError::Nothing(notes)) => report.add(&name, 0, &notes),
            Err(DraftError::Lock(problem)) => {
                return Err(Failure::Wrong(format!("lock file {}: {problem}", lock.display())));
            }
            Err(error) => return Err(failure(arguments, error)),
        }
    }
    let unused = unused.into_iter().flatten();
    report
        .lines
        .extend(unused.map(|hint| format!("hint: {hint} is not needed by anything drafted")));
    Ok(drafted)
}

/// What the hints or the lock say is the operator's own text; the rest is not.
fn failure(arguments: &Arguments, error: DraftError) -> Failure {
    match (error, &arguments.hints) {
        (DraftError::Hints(problem), Some(file)) => {
            Failure::Wrong(format!("hints {}: {problem}", file.display()))
        }
        (error @ (DraftError::Hints(_) | DraftError::Lock(_) | DraftError::Package(_)), _) => {
            Failure::Wrong(error.to_string())
        }
        (other, _) => Failure::Failed(other.into()),
    }
}

fn locked(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::metadata(path) {
        Ok(_) => input::text(path).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

/// Writes what is new; everything, or nothing where a file was edited.
fn write(arguments: &Arguments, drafts: &[Package]) -> Result<(), Failure> {
    let mut files: BTreeMap<PathBuf, File> = BTreeMap::new();
    let mut order = Vec::new();
    for file in drafts.iter().flat_map(|package| package.files(&arguments.out)) {
        let path = file.path().to_owned();
        if files.insert(path.clone(), file).is_none() {
            order.push(path);
        }
    }
    let files: Vec<File> = order.iter().filter_map(|path| files.remove(path)).collect();
    let new: Vec<&File> = files.iter().filter(|file| !file.is_there()).collect();
    if arguments.check {
        let names: Vec<String> = new.iter().map(|file| file.path().display().to_string()).collect();
        if names.is_empty() {
            return Ok(());
        }
        return Err(anyhow!("these files would change: {}", names.join(", ")).into());
    }
    let mut edited = Vec::new();
    for file in &new {
        if !arguments.force && file.is_edited()? {
            edited.push(file.path().display().to_string());
        }
    }
    if !edited.is_empty() {
        return Err(anyhow!(
            "nothing is written, because these files were not drafted, or were edited since: {}; \
             put the edits into --hints, draft into another folder, or --force",
            edited.join(", ")
        )
        .into());
    }
    // All of them lie beside their places before the first takes its place: a full disk changes nothing.
    let staged: Vec<Staged<'_>> = new.iter().map(|file| file.stage()).collect::<Result<_, _>>()?;
    let changed: BTreeSet<&Path> = new.iter().map(|file| file.path()).collect();
    for file in staged {
        file.commit()?;
    }
    let lines = files.iter().map(|file| {
        let done = if changed.contains(file.path()) {
            "wrote"
        } else {
            "unchanged"
        };
        format!("{done} {}", file.path().display())
    });
    say(&lines.collect::<Vec<_>>().join("\n"))?;
    Ok(())
}

/// What an operator should look at.
#[derive(Debug, Default)]
struct Report {
    lines: Vec<String>,
}

impl Report {
    fn add(&mut self, package: &str, rpcs: usize, notes: &[Note]) {
        let count = |kind: Kind| notes.iter().filter(|note| note.kind == kind).count();
        self.lines.push(format!(
            "{}: {rpcs} rpcs, {} left out, {} breaking",
            stem(package),
            count(Kind::LeftOut),
            count(Kind::Breaking)
        ));
        self.lines.extend(notes.iter().map(|note| format!("  {note}")));
    }

    fn tell(&self, file: Option<&Path>) -> anyhow::Result<()> {
        use std::io::Write;
        let mut text = self.lines.join("\n");
        text.push('\n');
        match file {
            Some(path) => {
                // A pipe or a device has no place beside it.
                let other = std::fs::metadata(path).is_ok_and(|file| !file.is_file());
                let written = if other {
                    std::fs::write(path, text)
                } else {
                    output::replace(path, text.as_bytes())
                };
                written.with_context(|| format!("write the report {}", path.display()))
            }
            None => {
                let written = std::io::stderr().lock().write_all(text.as_bytes());
                written.context("write the report to standard error")
            }
        }
    }
}
