//! `landbridge check`: everything `run` does short of opening ports.

use std::path::{Path, PathBuf};

use super::{Failure, Output, say};
use crate::config::{Prepared, Problem};

/// Check a configuration and say what is wrong, with file, line and column
///
/// Ends with 0 when `run` would take it, with 2 when it would not. What is missing here and may be there where the gateway
/// runs (the account of a pod) is a warning on standard error, and does not change the status. No registry is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration file
    file: PathBuf,
    /// Print the effective configuration, too: defaults filled in, secrets hidden
    #[arg(long)]
    effective: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let prepared = match Prepared::load(&arguments.file) {
        Ok(prepared) => prepared,
        Err(problems) if arguments.output == Output::Json => {
            let faults: Vec<_> = problems
                .iter()
                .map(|problem| json(&arguments.file, problem))
                .collect();
            let text = serde_json::json!({"ok": false, "faults": faults});
            say(&serde_json::to_string_pretty(&text).unwrap_or_default())?;
            return Err(Failure::Wrong(format!("{} faults", faults.len())));
        }
        Err(problems) => return Err(problems.into()),
    };
    for warning in &prepared.warnings {
        super::warn(&warning.to_string());
    }
    if arguments.effective {
        let effective = prepared.config.effective();
        say(&serde_json::to_string_pretty(&effective).unwrap_or_default())?;
    } else if arguments.output == Output::Json {
        let warnings: Vec<_> = prepared
            .warnings
            .iter()
            .map(|warning| json(&arguments.file, warning))
            .collect();
        let text = serde_json::json!({"ok": true, "warnings": warnings});
        say(&serde_json::to_string_pretty(&text).unwrap_or_default())?;
    } else {
        say(&format!("{}: ok", arguments.file.display()))?;
    }
    Ok(())
}

fn json(file: &Path, problem: &Problem) -> serde_json::Value {
    let (line, column) = problem.position().unzip();
    serde_json::json!({
        "file": file.display().to_string(),
        "line": line,
        "column": column,
        "problem": problem.message(),
        "hint": problem.advice(),
    })
}
