//! Where what was decoded goes: a tree of one direction's bytes, or the lines of a capture.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use super::Tree;

/// Which frames of a capture are shown, and how much of each.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// One line a frame, no tree.
    pub(super) summary: bool,
    /// What the line must hold, each in lower case.
    pub(super) grep: Vec<String>,
    /// Either port must be one of these, when there are any.
    pub(super) ports: Vec<u16>,
    /// Either address must be one of these, when there are any.
    pub(super) hosts: Vec<IpAddr>,
}

impl Options {
    /// Whether a connection between these is looked at.
    pub(super) fn takes(&self, one: SocketAddr, other: SocketAddr) -> bool {
        let port = |end: SocketAddr| self.ports.contains(&end.port());
        let host = |end: SocketAddr| self.hosts.contains(&end.ip());
        (self.ports.is_empty() || port(one) || port(other))
            && (self.hosts.is_empty() || host(one) || host(other))
    }
}

/// When something was sent, by whom, to whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Nanoseconds since the epoch.
    pub(super) nanos: u64,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

impl Moment {
    /// How long after `earlier` it was, for a line.
    pub(super) fn after(&self, earlier: u64) -> String {
        let micros = self.nanos.saturating_sub(earlier) / 1000;
        format!("after {}.{:03} ms", micros / 1000, micros % 1000)
    }
}

/// Where what was decoded goes.
pub(super) struct Report<'o> {
    to: To<'o>,
    /// Frames, whole or in part.
    pub(super) frames: Count,
    /// Lines about what is no frame: text, holes, calls without an answer.
    pub(super) remarks: Count,
}

/// How many there were, and how many of them were shown.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) all: u64,
    pub(super) shown: u64,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shown == self.all {
            return write!(f, "{}", self.all);
        }
        write!(f, "{} of {}", self.shown, self.all)
    }
}

enum To<'o> {
    Tree(&'o mut Tree),
    Lines(&'o mut dyn Write, &'o Options, std::io::Result<()>),
}

impl<'o> Report<'o> {
    /// For one direction of a connection, or a file.
    pub(super) fn tree(tree: &'o mut Tree) -> Self {
        Self {
            to: To::Tree(tree),
            frames: Count::default(),
            remarks: Count::default(),
        }
    }

    /// For a capture.
    pub(super) fn lines(out: &'o mut dyn Write, options: &'o Options) -> Self {
        Self {
            to: To::Lines(out, options, Ok(())),
            frames: Count::default(),
            remarks: Count::default(),
        }
    }

    /// A frame at this offset of its direction, in one line and, unless nobody wants to see it, as a tree.
    pub(super) fn frame(
        &mut self,
        moment: Option<&Moment>,
        at: usize,
        summary: &str,
        tree: impl FnOnce(&mut Tree),
    ) {
        let shown = self.line(moment, at, summary, tree);
        self.frames.all += 1;
        self.frames.shown += u64::from(shown);
    }

    /// Something that is no frame.
    pub(super) fn remark(&mut self, moment: &Moment, summary: &str, tree: impl FnOnce(&mut Tree)) {
        let shown = self.line(Some(moment), 0, summary, tree);
        self.remarks.all += 1;
        self.remarks.shown += u64::from(shown);
    }

    /// Gives whether it was shown.
    fn line(
        &mut self,
        moment: Option<&Moment>,
        at: usize,
        summary: &str,
        tree: impl FnOnce(&mut Tree),
    ) -> bool {
        match &mut self.to {
            To::Tree(all) => {
                all.line(at, 0, summary);
                tree(all);
                true
            }
            To::Lines(out, options, written) => {
                let line = match moment {
                    Some(moment) => {
                        format!(
                            "{}  {} → {}  {summary}",
                            clock(moment.nanos),
                            moment.from,
                            moment.to
                        )
                    }
                    None => summary.to_owned(),
                };
                let lower = line.to_lowercase();
                if written.is_err() || !options.grep.iter().all(|text| lower.contains(text)) {
                    return false;
                }
                let mut text = line;
                text.push('\n');
                if !options.summary {
                    let mut below = Tree::default();
                    tree(&mut below);
                    text.push_str(&below.text);
                }
                *written = out.write_all(text.as_bytes());
                true
            }
        }
    }

    /// A line that is shown whatever is asked for.
    pub(super) fn note(&mut self, text: &str) {
        if let To::Lines(out, _, written) = &mut self.to
            && written.is_ok()
        {
            *written = writeln!(out, "{text}");
        }
    }

    /// Why nothing more can be shown, if something could not be written; what waits is written first where `flush` says so.
    pub(super) fn written(&mut self, flush: bool) -> std::io::Result<()> {
        match &mut self.to {
            To::Tree(_) => Ok(()),
            To::Lines(out, _, written) => {
                std::mem::replace(written, Ok(()))?;
                if flush { out.flush() } else { Ok(()) }
            }
        }
    }
}

/// The time of day in UTC.
fn clock(nanos: u64) -> String {
    let (seconds, micros) = (nanos / 1_000_000_000, nanos % 1_000_000_000 / 1000);
    let day = seconds % 86_400;
    format!(
        "{:02}:{:02}:{:02}.{micros:06}",
        day / 3600,
        day / 60 % 60,
        day % 60
    )
}

/// Date and time in UTC.
pub(super) fn date(nanos: u64) -> String {
    // Days since 1 March of the year 0, in eras of 400 years: a leap day is then the last of its year.
    let days = nanos / 1_000_000_000 / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!(
        "{:04}-{month:02}-{of_month:02} {}",
        era * 400 + year + next,
        clock(nanos)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, want) in [
            (0, "1970-01-01 00:00:00.000000"),
            (951_782_399, "2000-02-28 23:59:59.000000"),
            (951_782_400, "2000-02-29 00:00:00.000000"),
            (1_709_251_199, "2024-02-29 23:59:59.000000"),
            (1_735_689_600, "2025-01-01 00:00:00.000000"),
            (4_107_542_400, "2100-03-01 00:00:00.000000"),
        ] {
            assert_eq!(date(seconds * 1_000_000_000), want);
        }
        assert_eq!(date(1_001_002), "1970-01-01 00:00:00.001001");
    }
}
