//! Our Hessian 2 codec against another one that runs as a process: `differential PEER SEED COUNT COMMAND...`
//!
//! `COMMAND echo` reads a value in hex a line and writes it again; `COMMAND show` prints what it read;
//! `COMMAND generate SEED COUNT` writes random values. Two ways are walked with COUNT values each:
//!
//! 1. ours → theirs → ours: a random tree is encoded, echoed, decoded, and compared with the tree, less what the peer is
//!    known to lose;
//! 2. theirs → ours → theirs: their value is decoded to a tree and encoded again; they show both, which must be equal.
//!
//! With Java, a quarter of these values, those of special classes and those at the edges of every form are also compared as
//! lines of typed JSON: Java's own of each against ours, and Java's written by us and shown by Java again.

mod canonical;
mod generate;
mod typed;

use std::io::{BufWriter, Write};
use std::process::{Command, ExitCode, Stdio};

use canonical::{Losses, canonical};
use codecs::hessian2::{Limits, Scratch};
use codecs::value::{MAX_DEPTH, Value, json};
use generate::Generator;
use typed::{Differences, Shown};

/// What a peer cannot hold, and so is not compared, or not sent to it.
const JAVA: Losses = Losses {
    lone_surrogates: false,
    sharing: false,
    list_types: false,
    map_types: false,
    null_in_maps: false,
    thousandths: false,
    behind_uuids: false,
};

const GO: Losses = Losses {
    lone_surrogates: true,
    sharing: true,
    list_types: true,
    map_types: true,
    null_in_maps: true,
    thousandths: true,
    behind_uuids: false,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [peer, seed, count, command @ ..] = &arguments[..] else {
        eprintln!("usage: differential PEER SEED COUNT COMMAND...");
        return ExitCode::from(2);
    };
    let losses = match peer.as_str() {
        "dubbo-go-hessian2" => GO,
        "hessian-lite 3" => Losses {
            behind_uuids: true,
            ..JAVA
        },
        _ => JAVA,
    };
    let (seed, count) = (seed.parse().expect("a seed"), count.parse().expect("a count"));
    print_types(peer, &losses);
    let mut differences = ours_theirs_ours(peer, seed, count, command, &losses)
        + theirs_ours_theirs(peer, seed, count, command);
    if peer != "dubbo-go-hessian2" {
        differences += special(peer, command);
        differences += typed_lines(peer, seed, count, command);
    }
    if differences == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What comes back as it was sent, and what this peer is known to lose.
fn print_types(peer: &str, losses: &Losses) {
    let optional = [
        (losses.lone_surrogates, "lone surrogates"),
        (losses.sharing, "shared objects and cycles"),
        (
            losses.list_types,
            "classes of lists that are no arrays; enums, UUID",
        ),
        (losses.map_types, "classes of maps"),
        (losses.null_in_maps, "null in maps"),
        (
            losses.thousandths,
            "the last bit of doubles in thousandths (it divides where Java multiplies)",
        ),
        (
            losses.behind_uuids,
            "references behind a UUID (its reader gives it no number)",
        ),
    ];
    let some = |lost| {
        optional
            .iter()
            .filter(move |(it, _)| *it == lost)
            .map(|(_, name)| *name)
    };
    let lossless: Vec<_> = [
        "null, boolean, int, long, double, date, text up to 70,000 units, binary up to 70,000 bytes",
        "lists, arrays of int, long, double, String and Object, maps, objects, BigDecimal",
    ]
    .into_iter()
    .chain(some(false))
    .collect();
    println!("{peer}: lossless: {}", lossless.join("; "));
    let always = "the sign of -0.0; the order of fields and of hash containers";
    let lossy: Vec<_> = std::iter::once(always).chain(some(true)).collect();
    println!("{peer}: known losses, not compared: {}", lossy.join("; "));
}

fn ours_theirs_ours(peer: &str, seed: u64, count: usize, command: &[String], losses: &Losses) -> usize {
    let values: Vec<Value> = (0..count as u64)
        .map(|n| Generator::new(seed + n, losses).value())
        .collect();
    let lines: Vec<String> = values
        .iter()
        .map(|value| {
            let mut bytes = Vec::new();
            value.encode(&mut bytes);
            hex(&bytes)
        })
        .collect();
    let answers = run(command, &["echo"], &lines);
    let mut differences = 0;
    for ((value, line), answer) in values.iter().zip(&lines).zip(&answers) {
        let sent = canonical(value, losses);
        let back = match unhex(answer).map(|bytes| decode(&bytes)) {
            Some(Ok(back)) => canonical(&back, losses),
            Some(Err(error)) => format!("cannot decode {answer:.200}: {error}"),
            None => answer.clone(),
        };
        if sent != back {
            differences += 1;
            report(differences, peer, "ours, theirs, ours", line, &sent, &back);
        }
    }
    println!("{peer}: ours, theirs, ours: {count} values, {differences} differences");
    differences
}

fn theirs_ours_theirs(peer: &str, seed: u64, count: usize, command: &[String]) -> usize {
    let theirs = run(command, &["generate", &seed.to_string(), &count.to_string()], &[]);
    assert_eq!(theirs.len(), count, "{peer} generated too few values");
    let differences = again(peer, "theirs, ours, theirs", command, &theirs);
    println!("{peer}: theirs, ours, theirs: {count} values, {differences} differences");
    differences
}

/// One value of each special class. What the peer itself cannot write or read again is counted, not compared.
fn special(peer: &str, command: &[String]) -> usize {
    let rows = run(command, &["special"], &[]);
    let (mut theirs, mut refused) = (Vec::new(), Vec::new());
    for row in &rows {
        match row.split('\t').collect::<Vec<_>>()[..] {
            [_, hex, shown] if !hex.starts_with("error") && !shown.starts_with("error") => {
                theirs.push(hex.to_owned());
            }
            [name, ..] => refused.push(name),
            [] => {}
        }
    }
    assert!(
        theirs.len() > 120,
        "{peer} wrote too few special values: {rows:?}"
    );
    let differences = again(peer, "special", command, &theirs);
    println!(
        "{peer}: special classes: {} values, {differences} differences; {} it cannot write and read itself: {}",
        theirs.len(),
        refused.len(),
        refused.join(" ")
    );
    differences
}

/// What Java's printer shows in part only, by the words of our refusal.
const REFUSED: [&str; 3] = [
    "frames and suppressed exceptions are counted here, not told",
    "the list is none of one enum's constants, of which there must be one",
    // A StackTraceElement with a module.
    "v does not fit t",
];

/// Java's own typed JSON of its values: what we print of their bytes, and what we write of its lines.
fn typed_lines(peer: &str, seed: u64, count: usize, command: &[String]) -> usize {
    let mut lines = run(
        command,
        &["generate", &seed.to_string(), &(count / 4).to_string()],
        &[],
    );
    lines.extend(run(command, &["edges", &seed.to_string()], &[]));
    let special = run(command, &["special"], &[]);
    let bytes = special.iter().filter_map(|row| row.split('\t').nth(1));
    lines.extend(bytes.filter(|hex| !hex.starts_with("error")).map(str::to_owned));

    let shown = run(command, &["typed"], &lines);
    assert_eq!(shown.len(), lines.len(), "{peer} answers each line");
    let (mut decoded, mut encoded) = (Differences::default(), Differences::default());
    let (mut refused, mut java, mut ours) = (0, Vec::new(), Vec::new());
    for (line, java_line) in lines.iter().zip(&shown) {
        // What Java cannot read itself.
        if java_line.starts_with("error") {
            continue;
        }
        let value = unhex(line).map(|bytes| decode(&bytes));
        let our_line = match value {
            Some(Ok(value)) => json::to_json(&value),
            other => format!("error: {other:?}"),
        };
        // Its reader gives a UUID no number: what it refers to behind one is something else.
        if peer == "hessian-lite 3" && our_line.contains("java.util.UUID") && our_line.contains("\"ref\"") {
            continue;
        }
        match decoded.compare(&our_line, java_line) {
            Ok(Shown::Whole) => {}
            Ok(Shown::InPart) => continue,
            Err(place) => {
                report(
                    decoded.unexplained,
                    peer,
                    "typed JSON",
                    &place,
                    java_line,
                    &our_line,
                );
                continue;
            }
        }
        match json::from_json(java_line) {
            Ok(value) => {
                let mut again = Vec::new();
                value.encode(&mut again);
                java.push(java_line);
                ours.push(hex(&again));
            }
            Err(error) if REFUSED.contains(&error.problem) => refused += 1,
            Err(error) => {
                encoded.unexplained += 1;
                let error = error.to_string();
                report(
                    encoded.unexplained,
                    peer,
                    "typed JSON, ours",
                    line,
                    java_line,
                    &error,
                );
            }
        }
    }
    let again = run(command, &["typed"], &ours);
    assert_eq!(again.len(), java.len(), "{peer} answers each line");
    for (again, java) in again.iter().zip(java) {
        if let Err(place) = encoded.compare(again, java) {
            report(
                encoded.unexplained,
                peer,
                "typed JSON, ours, theirs",
                &place,
                java,
                again,
            );
        }
    }
    for (why, lines) in &decoded.explained {
        println!("{peer}: typed JSON differs: {why}: {lines} lines");
    }
    println!(
        "{peer}: typed JSON of its values: {} lines, {} the same text, {} differences",
        lines.len(),
        decoded.same_text,
        decoded.unexplained
    );
    println!(
        "{peer}: typed JSON of theirs, written by us: {} lines, {} shown as the same text, {refused} refused that tell too \
         little, {} differences",
        ours.len(),
        encoded.same_text,
        encoded.unexplained
    );
    decoded.unexplained + encoded.unexplained
}

/// Their values through our tree and writer, shown by them before and after.
fn again(peer: &str, way: &str, command: &[String], theirs: &[String]) -> usize {
    let mut differences = 0;
    let mut ours = Vec::new();
    for line in theirs {
        let decoded = unhex(line)
            .ok_or_else(|| line.clone())
            .and_then(|bytes| decode(&bytes).map_err(|error| error.to_string()));
        match decoded {
            Ok(value) => {
                let text = json::to_json(&value);
                assert!(
                    json::from_json(&text).as_ref() == Ok(&value),
                    "typed JSON loses {line}"
                );
                let mut again = Vec::new();
                value.encode(&mut again);
                ours.push(hex(&again));
            }
            Err(error) => {
                differences += 1;
                report(differences, peer, "theirs, ours", line, "a value", &error);
                ours.push("4e".into());
            }
        }
    }
    let shown = run(command, &["show"], theirs);
    let again = run(command, &["show"], &ours);
    assert_eq!(
        (shown.len(), again.len()),
        (theirs.len(), theirs.len()),
        "{peer} answers each line"
    );
    for ((line, before), after) in theirs.iter().zip(&shown).zip(&again) {
        if before != after {
            differences += 1;
            report(differences, peer, way, line, before, after);
        }
    }
    differences
}

fn report(number: usize, peer: &str, way: &str, line: &str, sent: &str, back: &str) {
    if number <= 5 {
        let at = sent.bytes().zip(back.bytes()).take_while(|(a, b)| a == b).count();
        let cut = |text: &str| -> String { text.chars().skip(at.saturating_sub(60)).take(200).collect() };
        eprintln!(
            "{peer}, {way}: {line:.300}\n  before …{}\n  after  …{}",
            cut(sent),
            cut(back)
        );
    }
}

fn decode(bytes: &[u8]) -> Result<Value, codecs::hessian2::DecodeError> {
    let limits = Limits {
        depth: MAX_DEPTH,
        ..Limits::DEFAULT
    };
    let (value, end) = Value::decode(bytes, &mut Scratch::new(), &limits)?;
    assert_eq!(end, bytes.len(), "bytes behind the value");
    Ok(value)
}

/// Runs the peer with these lines on its input; its lines of output.
fn run(command: &[String], arguments: &[&str], lines: &[String]) -> Vec<String> {
    let (program, first) = command.split_first().expect("a command");
    let mut child = Command::new(program)
        .args(first)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the peer starts");
    let input = child.stdin.take().expect("piped");
    let lines = lines.to_vec();
    let writer = std::thread::spawn(move || {
        let mut input = BufWriter::new(input);
        for line in lines {
            if writeln!(input, "{line}").is_err() {
                return;
            }
        }
    });
    let output = child.wait_with_output().expect("the peer ends");
    writer.join().expect("all lines written");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
