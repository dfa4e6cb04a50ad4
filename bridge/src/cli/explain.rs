//! `landbridge explain`: what a running gateway knows of one service and what it would do with a call.

use anyhow::Context;

use super::admin::{Admin, Answer};
use super::{Failure, Output, say};

/// Say what a running gateway knows of a service in both islands, which mode a call would take and why
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The service: [group/]interface[:version], or a protobuf service name
    service: String,
    #[command(flatten)]
    admin: Admin,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let body = match arguments
        .admin
        .get(&format!("/v1/explain/{}", arguments.service))?
    {
        Answer::Found(body) => body,
        Answer::Missing(why) => return Err(anyhow::anyhow!(why).into()),
    };
    let explanation: serde_json::Value =
        serde_json::from_slice(&body).context("read the gateway's answer")?;
    if arguments.output == Output::Json {
        say(&serde_json::to_string_pretty(&explanation).context("print")?);
    } else {
        say(&shown(&explanation));
    }
    Ok(())
}

/// The explanation as an indented list: keys and values as they are, long lists as tables.
fn shown(value: &serde_json::Value) -> String {
    let mut text = String::new();
    describe(value, 0, &mut text);
    text.trim_end().to_owned()
}

fn describe(value: &serde_json::Value, depth: usize, text: &mut String) {
    use serde_json::Value;
    let Value::Object(entries) = value else { return };
    let margin = "  ".repeat(depth);
    for (key, value) in entries {
        let key = key.replace('_', " ");
        match value {
            Value::Null => {}
            Value::Array(items) if items.is_empty() => {}
            Value::Object(_) => {
                text.push_str(&format!("{margin}{key}:\n"));
                describe(value, depth + 1, text);
            }
            Value::Array(items) if items.iter().all(Value::is_object) => {
                text.push_str(&format!("{margin}{key}:\n"));
                for item in items {
                    let mut inner = String::new();
                    describe(item, 0, &mut inner);
                    for (n, line) in inner.lines().enumerate() {
                        let lead = if n == 0 { "- " } else { "  " };
                        text.push_str(&format!("{margin}  {lead}{line}\n"));
                    }
                }
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(plain).collect();
                text.push_str(&format!("{margin}{key}: {}\n", items.join(", ")));
            }
            value => text.push_str(&format!("{margin}{key}: {}\n", plain(value))),
        }
    }
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) if text.is_empty() => "-".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
