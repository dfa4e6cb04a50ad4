//! `landbridge check`: everything `run` does short of opening ports.

use std::path::PathBuf;

use super::{Failure, Output, say};
use crate::config::Prepared;

/// Check a configuration and say what is wrong, with file, line and column
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
    let config = Prepared::load(&arguments.file)?.config;
    if arguments.effective {
        let effective = config.effective();
        say(&serde_json::to_string_pretty(&effective).unwrap_or_default());
    } else if arguments.output == Output::Json {
        say("{\"ok\":true}");
    } else {
        say(&format!("{}: ok", arguments.file.display()));
    }
    Ok(())
}
