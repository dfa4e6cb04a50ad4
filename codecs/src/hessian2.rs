//! Hessian 2 as Dubbo's hessian-lite speaks it (its `Hessian2Input` and `Hessian2Output`).
//!
//! Three readers, each for its use; under equal [`Limits`] they accept and reject the same inputs and end at the same
//! byte:
//!
//! | reader | gives | for |
//! | --- | --- | --- |
//! | [`skim`] | where values end, and which tables they touch | slicing arguments, results and attachments |
//! | [`reader`] | borrowed tokens, one at a time, without recursion | plans, rewriting |
//! | [`value`](crate::value) | a tree | tools |
//!
//! One stream has three tables: references (every list, map and object, numbered at its start), types (every
//! literal type name) and class definitions. Indexes are absolute in the stream, so a value may be cut out of one stream
//! and put into another only where no index in it changes its meaning; [`arguments`] does that.

pub mod arguments;
mod error;
mod form;
mod limits;
pub(crate) mod packed;
pub mod reader;
pub(crate) mod scratch;
pub mod skim;
mod text;
pub mod throwable;
pub mod token;
pub(crate) mod wire;
pub mod writer;

pub use arguments::{join_arguments, split_arguments};
pub use error::{DecodeError, DecodeErrorKind, Limit, Wanted};
pub use limits::Limits;
pub use reader::{Mark, Reader};
pub use scratch::Scratch;
pub use skim::{Counts, Skimmed, Skimmer, TableUse};
pub use text::{Binary, JavaText, Str};
pub use token::{Class, Token, TypeIndex};
pub use writer::{TypeNames, Writer};
