//! Drafted files on disk. What a person has edited since is not overwritten.
//!
//! A text file begins with a comment that holds the SHA-256 of the rest. Where it does not fit, somebody else wrote the file.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

/// What stands before the digest.
const MARK: &str = "Drafted by `landbridge schema draft`; hints change it, edits make it yours. sha256:";

/// The end of a lock file's name.
const LOCK: &str = ".lock.json";

/// Whether a file is a lock file by its name.
pub(super) fn is_lock(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(LOCK))
}

/// Whether there is a file that was drafted, edited since or not.
pub(super) fn is_drafted(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| {
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        first.windows(MARK.len()).any(|part| part == MARK.as_bytes())
    })
}

/// A file to be written.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    guard: Guard,
}

/// What says that a file is ours.
#[derive(Debug)]
enum Guard {
    /// Its first line.
    Mark,
    /// The first line of another file, which it is made from.
    MarkOf(PathBuf),
    /// It was read before: its content went into this one.
    Read,
}

impl File {
    /// A text whose comments begin with `comment`.
    pub(super) fn marked(path: PathBuf, comment: &str, text: &str) -> Self {
        let head = format!("{comment} {MARK}{}\n", digest(text));
        Self {
            path,
            bytes: (head + text).into_bytes(),
            guard: Guard::Mark,
        }
    }

    /// Bytes made from a marked text.
    pub(super) fn made_from(path: PathBuf, source: &Path, bytes: Vec<u8>) -> Self {
        Self {
            path,
            bytes,
            guard: Guard::MarkOf(source.to_owned()),
        }
    }

    /// A text that continues the file's own.
    pub(super) fn continued(path: PathBuf, text: String) -> Self {
        Self {
            path,
            bytes: text.into_bytes(),
            guard: Guard::Read,
        }
    }

    /// Where it goes.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is on disk as it is here.
    pub(super) fn is_there(&self) -> bool {
        std::fs::read(&self.path).is_ok_and(|bytes| bytes == self.bytes)
    }

    /// Whether writing it would destroy what a person wrote.
    pub(super) fn is_edited(&self) -> anyhow::Result<bool> {
        let there = |path: &Path| match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        };
        let Some(bytes) = there(&self.path)? else {
            return Ok(false);
        };
        if bytes == self.bytes {
            return Ok(false);
        }
        Ok(match &self.guard {
            Guard::Mark => !is_ours(&bytes),
            Guard::MarkOf(source) => !there(source)?.is_some_and(|bytes| is_ours(&bytes)),
            Guard::Read => false,
        })
    }

    /// Writes it beside its place, into which [`Staged::commit`] puts it; the folders above it are made.
    pub(super) fn stage(&self) -> anyhow::Result<Staged<'_>> {
        let about = || format!("write {}", self.path.display());
        if self.path.file_name().is_none() || self.path.is_dir() {
            bail!("write {}: it is no file", self.path.display());
        }
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(about)?;
        }
        Staged::new(&self.path, &self.bytes).with_context(about)
    }
}

/// A file that is written and not in its place yet; dropped, it is gone.
#[derive(Debug)]
pub(super) struct Staged<'p> {
    path: &'p Path,
    beside: PathBuf,
}

impl<'p> Staged<'p> {
    fn new(path: &'p Path, bytes: &[u8]) -> std::io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let beside = path.with_file_name(name);
        let staged = Self { path, beside };
        std::fs::write(&staged.beside, bytes)?;
        Ok(staged)
    }

    /// Puts it into its place.
    pub(super) fn commit(self) -> anyhow::Result<()> {
        let about = || format!("write {}", self.path.display());
        std::fs::rename(&self.beside, self.path).with_context(about)
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // It is not there any more when it is in its place.
        let _ = std::fs::remove_file(&self.beside);
    }
}

/// Writes a file, whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let staged = Staged::new(path, bytes)?;
    std::fs::rename(&staged.beside, path)
}

/// Whether a text is as a draft wrote it. Line ends may be those of another system.
fn is_ours(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let text = text.replace("\r\n", "\n");
    let Some((head, rest)) = text.split_once('\n') else {
        return false;
    };
    head.split_once(MARK)
        .is_some_and(|(_, known)| known == digest(rest))
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own_files_from_edited_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/a.proto");
        let file = File::marked(path.clone(), "//", "one\ntwo\n");
        assert!(!file.is_edited().unwrap() && !file.is_there());
        drop(file.stage().unwrap());
        assert!(!file.is_there(), "staged is not written");
        file.stage().unwrap().commit().unwrap();
        assert!(file.is_there());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let next = File::marked(path.clone(), "//", "three\n");
        let made = File::made_from(folder.path().join("deep/a.pb"), &path, vec![1]);
        assert!(!next.is_edited().unwrap(), "an older draft may go");
        std::fs::write(made.path(), [2]).unwrap();
        assert!(!made.is_edited().unwrap());
        // Checked out on another system.
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace('\n', "\r\n")).unwrap();
        assert!(!next.is_edited().unwrap());
        std::fs::write(&path, text.replace("two", "2")).unwrap();
        assert!(next.is_edited().unwrap() && file.is_edited().unwrap() && made.is_edited().unwrap());
        std::fs::write(&path, [0xff]).unwrap();
        assert!(next.is_edited().unwrap());
        assert!(is_lock(Path::new("x/a.lock.json")) && !is_lock(Path::new("a.json")));
    }
}
