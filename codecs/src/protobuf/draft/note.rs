//! What a person should look at after a draft.

use std::collections::BTreeSet;
use std::fmt;

/// What a note is about. The order is that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A number, type or rpc is not what it was: callers that were built before break.
    Breaking,
    /// Definitions of one interface or class disagree.
    Conflict,
    /// A method has no rpc, and why.
    LeftOut,
    /// The definition does not say it; this is what was made of it.
    Guessed,
    /// What a conversion may lose, by rule.
    Lossy,
    /// Something changed, and nobody breaks.
    Changed,
    /// A hint that nothing needed.
    Hint,
}

impl Kind {
    /// The word before a note.
    pub fn name(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Conflict => "conflict",
            Self::LeftOut => "left out",
            Self::Guessed => "guessed",
            Self::Lossy => "lossy",
            Self::Changed => "changed",
            Self::Hint => "hint",
        }
    }
}

/// One line of a report. Prints as `kind: text`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// What it is about.
    pub kind: Kind,
    /// What there is to say.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.text)
    }
}

/// Notes, each once, in the order of the report.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeSet<Note>);

impl Notes {
    pub(super) fn add(&mut self, kind: Kind, text: impl Into<String>) {
        let text = text.into();
        self.0.insert(Note { kind, text });
    }

    pub(super) fn into_vec(self) -> Vec<Note> {
        self.0.into_iter().collect()
    }
}
