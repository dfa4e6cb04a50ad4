//! `landbridge schema`: protobuf schemas for Java services, drafted from what providers say of themselves, and checked.

mod check;
mod draft;
mod input;
mod output;

use super::Failure;

/// Draft and check protobuf schemas of Java services
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Draft(draft::Arguments),
    Check(check::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Draft(arguments) => draft::run(arguments),
        Command::Check(arguments) => check::run(arguments),
    }
}
