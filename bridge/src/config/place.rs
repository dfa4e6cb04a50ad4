//! Where in a file something is wrong, and how that is shown: file, line, column, the line and a caret.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_saphyr::{Location, MessageFormatter, UserMessageFormatter};

use super::text::refused;

/// The text of a configuration file, kept to point into it.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    text: Arc<str>,
}

impl Source {
    /// A file's text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// The file's path, as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its text, before interpolation.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A path written in this file: relative ones start at the file's folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        match self.path.parent() {
            Some(folder) if path.is_relative() => folder.join(path),
            _ => path.to_owned(),
        }
    }

    /// Something wrong at a place of this file.
    pub fn problem(&self, location: Location, message: impl Into<String>) -> Problem {
        let line = location.line() as usize;
        let text = line.checked_sub(1).and_then(|n| self.text.lines().nth(n));
        Problem {
            path: self.path.clone(),
            place: text.map(|text| {
                let column = (location.column() as usize).max(1);
                let (text, caret) = window(text, column);
                Place {
                    line,
                    column,
                    caret,
                    // A span may run over several lines: what is on the first is underlined.
                    width: (location.span().len() as usize).max(1),
                    text,
                }
            }),
            message: message.into(),
            hint: None,
        }
    }

    /// What the YAML reader found wrong.
    pub fn unreadable(&self, error: &serde_saphyr::Error) -> Problem {
        let location = error.location().unwrap_or(Location::UNKNOWN);
        let error = innermost(error);
        let refused = refused();
        let message = match error {
            serde_saphyr::Error::UnresolvedProperty { name, .. } => {
                let hint = format!("set it, or write ${{{name}:-VALUE}} with a value for when it is not set");
                return self
                    .problem(location, format!("the environment variable {name} is not set"))
                    .hint(hint);
            }
            serde_saphyr::Error::Message { .. } => refused
                .and_then(|(text, problem)| self.refusal(location, &text, &problem))
                .unwrap_or_else(|| UserMessageFormatter.format_message(error).into_owned()),
            other => UserMessageFormatter.format_message(other).into_owned(),
        };
        self.problem(location, self.named(location, message))
    }

    /// A message of ours before the reader took from it what looked like a filled-in value, if it is of this place. A value
    /// that was filled in here is not shown, but what was written for it.
    fn refusal(&self, location: Location, text: &str, problem: &str) -> Option<String> {
        let written = self.written(location)?;
        if !written.contains("${") {
            return written.contains(text).then(|| problem.to_owned());
        }
        let rest = problem.strip_prefix(&format!("{text:?}"))?;
        Some(format!("what {written} gives{rest}"))
    }

    /// What stands at a place, as it was written.
    fn written(&self, location: Location) -> Option<String> {
        let line = (location.line() as usize).checked_sub(1)?;
        let line = self.text.lines().nth(line)?;
        let start = (location.column() as usize).checked_sub(1)?;
        let text: String = line
            .chars()
            .skip(start)
            .take(location.span().len() as usize)
            .collect();
        (!text.is_empty()).then_some(text)
    }

    /// A message with what was written in the place of the reader's words for what it does not show.
    fn named(&self, location: Location, message: String) -> String {
        let Some(written) = self.written(location) else {
            return message;
        };
        [
            "an interpolated variant",
            "an interpolated field",
            "an interpolated value",
        ]
        .into_iter()
        .fold(message, |message, words| message.replace(words, &written))
    }
}

/// The reader wraps an error in what it knows of its surroundings; the formatter wants the error itself.
fn innermost(error: &serde_saphyr::Error) -> &serde_saphyr::Error {
    let error = error.without_snippet();
    match error {
        serde_saphyr::Error::AliasError { error, .. } => error,
        other => other,
    }
}

/// One thing wrong in a file, as `landbridge check` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    path: PathBuf,
    place: Option<Place>,
    message: String,
    hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    /// The column in `text`, which may be a part of the line.
    caret: usize,
    width: usize,
    text: String,
}

/// The most of a line that is shown.
const MOST_SHOWN: usize = 160;

/// A line for a terminal, and where a column of it is: a long one is cut on both sides, and nothing in it controls the terminal.
fn window(line: &str, column: usize) -> (String, usize) {
    let plain = |c: char| {
        if c.is_control() && c != '\t' {
            '\u{fffd}'
        } else {
            c
        }
    };
    if line.chars().nth(MOST_SHOWN).is_none() {
        return (line.chars().map(plain).collect(), column);
    }
    let start = column.saturating_sub(MOST_SHOWN / 2);
    let mut rest = line.chars().skip(start);
    let mut text: String = if start > 0 {
        "…".to_owned()
    } else {
        String::new()
    };
    text.extend(rest.by_ref().take(MOST_SHOWN).map(plain));
    if rest.next().is_some() {
        text.push('…');
    }
    (text, column - start + usize::from(start > 0))
}

impl Problem {
    /// Something wrong with a file as a whole: it cannot be read, for one.
    pub fn of_file(path: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            place: None,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds what the operator can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The line and column, where there are any; both begin at 1.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| (place.line, place.column))
    }

    /// What the operator can do about it.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        let Some(place) = &self.place else {
            write!(f, ": {}", self.message)?;
            return match &self.hint {
                Some(hint) => write!(f, "\n  = {hint}"),
                None => Ok(()),
            };
        };
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        let room = place.text.chars().count().saturating_sub(place.caret - 1);
        // Tabs are kept before the caret, so that it stands under its character in any terminal.
        let lead: String = place
            .text
            .chars()
            .take(place.caret - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, ":{}:{}: {}", place.line, place.column, self.message)?;
        writeln!(f, " {margin} |")?;
        writeln!(f, " {number} | {}", place.text)?;
        write!(
            f,
            " {margin} | {lead}{}",
            "^".repeat(place.width.clamp(1, room.max(1)))
        )?;
        match &self.hint {
            Some(hint) => write!(f, "\n {margin} = {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Everything that is wrong with a configuration; at least one [`Problem`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// One more than others.
    pub(crate) fn and(others: Option<Self>, one: Problem) -> Self {
        let mut all = others.map(|others| others.0).unwrap_or_default();
        all.push(one);
        Self(all)
    }

    /// `Ok(value)` when nothing is wrong.
    pub(crate) fn none_or<T>(problems: Vec<Problem>, value: T) -> Result<T, Self> {
        if problems.is_empty() {
            Ok(value)
        } else {
            Err(Self(problems))
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_at_the_place() {
        let source = Source::new("a.yaml", "one: 1\n\ttwo: [x, y]\n");
        let error =
            serde_saphyr::from_str::<std::collections::HashMap<String, u32>>("a: 1\nbee: x\n").unwrap_err();
        let shown = Source::new("b.yaml", "a: 1\nbee: x\n")
            .unreadable(&error)
            .to_string();
        assert!(shown.starts_with("b.yaml:2:6: "), "{shown}");
        assert!(shown.ends_with("\n 2 | bee: x\n   |      ^"), "{shown}");
        // A long line is shown around the place, and nothing in it reaches the terminal as more than text.
        let line = format!("{}\u{1b}bad{}", " ".repeat(1000), "x".repeat(1000));
        let (text, caret) = window(&line, 1002);
        assert_eq!(text.chars().count(), MOST_SHOWN + 2);
        assert_eq!(text.chars().nth(caret - 1), Some('b'));
        assert!(
            text.starts_with('…') && text.ends_with('…') && !text.contains('\u{1b}'),
            "{text}"
        );
        assert_eq!(window("a: b", 4), ("a: b".to_owned(), 4));
        let problem = source.problem(Location::UNKNOWN, "bad").hint("do better");
        assert_eq!(problem.to_string(), "a.yaml: bad\n  = do better");
    }
}
