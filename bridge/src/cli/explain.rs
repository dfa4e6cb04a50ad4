//! `landbridge explain`: what a running gateway knows of one service and what it would do with a call.

use anyhow::Context;
use codecs::ServiceKey;
use serde_json::Value;

use super::admin::{Admin, Answer};
use super::table::Table;
use super::{Failure, Output, say};

/// Say what a running gateway knows of a service in both islands, which mode a call would take and why
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The service: [group/]interface[:version], or a protobuf service name
    service: ServiceKey,
    #[command(flatten)]
    admin: Admin,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let body = match arguments.admin.get(&format!(
        "/v1/explain/{}",
        in_path(&arguments.service.to_string())
    ))? {
        Answer::Found(body) => body,
        Answer::Missing(why) => return Err(anyhow::anyhow!(why).into()),
    };
    let explanation: Value = serde_json::from_slice(&body).context("read the gateway's answer")?;
    if arguments.output == Output::Json {
        say(&serde_json::to_string_pretty(&explanation).context("print")?)?;
    } else {
        say(&shown(&explanation))?;
    }
    Ok(())
}

/// A key in the path of a URL.
fn in_path(key: &str) -> String {
    let mut path = String::new();
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b':' | b'$' => {
                path.push(char::from(byte));
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

/// The explanation for people. Keys that this program does not know (a newer gateway's) are left out.
fn shown(explanation: &Value) -> String {
    let mut text = format!(
        "{}   stage {}",
        word(&explanation["service"]),
        word(&explanation["stage"])
    );
    if let Value::String(mode) = &explanation["pinned"] {
        text.push_str(&format!(", mode pinned to {mode}"));
    }
    for (key, label) in [("names", "also known as"), ("bound_methods", "bound methods")] {
        let words: Vec<String> = items(&explanation[key]).map(word).collect();
        if !words.is_empty() {
            text.push_str(&format!("\n  {label}: {}", words.join(", ")));
        }
    }
    for island in ["legacy", "mesh"] {
        text.push_str(&format!("\n\n{island}: {}", side(&explanation[island])));
    }
    text.push_str(&format!("\n\n{}", calls(&explanation["calls"])));
    for note in items(&explanation["notes"]) {
        text.push_str(&format!("\n\nnote: {}", word(note)));
    }
    for (source, island) in items(&explanation["sources"]).zip(["legacy", "mesh"]) {
        let (configured, connected) = (source["configured"] == true, source["connected"] == true);
        if configured && !connected {
            let why = source["error"].as_str().unwrap_or("not heard yet");
            text.push_str(&format!(
                "\n\nwarning: the {island} registry is not connected ({why}); this may be old"
            ));
        }
    }
    text
}

/// Where calls go and how they cross.
fn calls(calls: &Value) -> Table<5> {
    let mut table = Table::new(["FROM", "PAYLOADS", "GO TO", "MODE", "BECAUSE"]);
    for call in items(calls) {
        let modes = items(&call["modes"]).map(|mode| {
            let methods = match mode["methods"].as_str() {
                None | Some("all") => String::new(),
                Some("others") => " (other methods)".to_owned(),
                Some(of) => format!(" ({of} methods)"),
            };
            format!("{}{methods}: {}", word(&mode["mode"]), word(&mode["reason"]))
        });
        table.row([
            word(&call["from"]),
            word(&call["encoding"]),
            word(&call["to"]),
            modes.collect::<Vec<_>>().join("; "),
            word(&call["why"]),
        ]);
    }
    table
}

/// The natives of one island.
fn side(side: &Value) -> String {
    if side.is_null() {
        return "no native".to_owned();
    }
    let mut text = match side["host"].as_str() {
        Some(host) => format!("{host}, paired by {}", word(&side["paired_by"])),
        None => "natives".to_owned(),
    };
    for route in items(&side["routes"]) {
        text.push_str(&format!("\n  route {}", word(route)));
    }
    for timeout in items(&side["timeouts"]) {
        let method = timeout[0].as_str().filter(|method| !method.is_empty());
        let method = method.unwrap_or("any method");
        text.push_str(&format!("\n  timeout of {method}: {} ms", word(&timeout[1])));
    }
    let mut endpoints = Table::new([
        "  CLUSTER",
        "ENDPOINT",
        "SPEAKS",
        "WEIGHT",
        "RELEASE",
        "IN FLIGHT",
        "STATE",
    ]);
    for cluster in items(&side["clusters"]) {
        for endpoint in items(&cluster["endpoints"]) {
            let state = if endpoint["ejected"] == true {
                "ejected"
            } else {
                "in"
            };
            endpoints.row([
                format!("  {}", word(&cluster["name"])),
                word(&endpoint["address"]),
                word(&endpoint["speaks"]),
                word(&endpoint["weight"]),
                word(&endpoint["release"]),
                word(&endpoint["in_flight"]),
                state.to_owned(),
            ]);
        }
    }
    format!("{text}\n{endpoints}")
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A scalar as it is; `-` for nothing.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        Value::Null | Value::String(_) => "-".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_part_of_the_path() {
        assert_eq!(in_path("g/a.B$C:1.0"), "g/a.B$C:1.0");
        assert_eq!(in_path("a?b c%ü#"), "a%3Fb%20c%25%C3%BC%23");
    }

    #[test]
    fn says_who_is_called_and_why() {
        let explanation = serde_json::json!({
            "service": "a.B", "stage": "bridge", "pinned": null, "names": ["x.B"], "bound_methods": [],
            "legacy": {
                "host": null, "routes": [], "timeouts": [["", 3000]],
                "clusters": [{"name": "legacy|a.B", "endpoints": [
                    {"address": "10.0.0.1:20880", "speaks": "dubbo2", "weight": 100, "release": "2.7.23",
                     "in_flight": 0, "ejected": true}]}],
            },
            "mesh": null,
            "calls": [{"from": "mesh", "encoding": "protobuf", "to": "legacy", "why": "no native of its own",
                       "modes": [{"methods": "bound", "mode": "protobuf", "reason": "binding"}]}],
            "notes": ["look here"],
            "sources": [{"configured": true, "connected": false, "error": "cut"}, {"configured": false}],
        });
        let text = shown(&explanation);
        for words in [
            "a.B   stage bridge\n  also known as: x.B",
            "timeout of any method: 3000 ms",
            "legacy|a.B  10.0.0.1:20880  dubbo2  100     2.7.23   0          ejected",
            "mesh: no native",
            "mesh  protobuf  legacy  protobuf (bound methods): binding  no native of its own",
            "note: look here",
            "the legacy registry is not connected (cut)",
        ] {
            assert!(text.contains(words), "{words:?} not in\n{text}");
        }
    }
}
