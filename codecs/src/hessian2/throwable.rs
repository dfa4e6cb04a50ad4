//! Java exceptions: reading what matters, writing what every consumer can build
//! (hessian-lite's `ThrowableSerializer`).

use std::borrow::Cow;

use super::{DecodeError, DecodeErrorKind, Limits, Reader, Scratch, Token, Wanted, Writer};

/// The class that every Java consumer can build.
pub const RUNTIME_EXCEPTION: &str = "java.lang.RuntimeException";

/// How long a chain of causes is followed.
pub const MAX_CAUSES: usize = 8;

/// One exception of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thrown<'a> {
    /// Its Java class.
    pub class: Cow<'a, str>,
    /// `detailMessage`.
    pub message: Option<Cow<'a, str>>,
    /// `exceptionClass` of a `GenericException`.
    pub exception_class: Option<Cow<'a, str>>,
    /// `exceptionMessage` of a `GenericException`.
    pub exception_message: Option<Cow<'a, str>>,
    /// `code`, as in an `RpcException`.
    pub code: Option<i32>,
}

impl Thrown<'_> {
    /// Whether this is Dubbo's `GenericException`, of either package, which names the real class in a field.
    pub fn is_generic(&self) -> bool {
        matches!(
            &*self.class,
            "com.alibaba.dubbo.rpc.service.GenericException"
                | "org.apache.dubbo.rpc.service.GenericException"
        )
    }
}

/// Reads class, message and causes of the Throwable that is the one value of the stream `input`, outermost first.
///
/// Stack traces are passed over. A map (what a strict Java hop makes of a class that it does not know) is read
/// like an object with an empty class name.
pub fn read<'a>(
    input: &'a [u8],
    scratch: &mut Scratch,
    limits: &Limits,
) -> Result<Vec<Thrown<'a>>, DecodeError> {
    let mut reader = Reader::new(input, scratch, limits);
    let mut chain = Vec::new();
    let mut token = reader.read()?;
    loop {
        let (reference, class) = match token {
            Token::ObjectStart { reference, class } => (reference, Some(class)),
            Token::MapStart { reference, .. } => (reference, None),
            _ if chain.is_empty() => {
                return Err(DecodeError {
                    kind: DecodeErrorKind::Expected {
                        expected: Wanted::Throwable,
                        tag: input.first().copied().unwrap_or_default(),
                    },
                    offset: 0,
                });
            }
            _ => return Ok(chain),
        };
        let (thrown, cause) = fields(&mut reader, reference, class)?;
        chain.push(thrown);
        if chain.len() > MAX_CAUSES {
            return Ok(chain);
        }
        // The cause was passed over; it is read again from where it began.
        match cause {
            Some(cause) => {
                if reader.enter(cause).is_err() {
                    return Ok(chain);
                }
                token = reader.read()?;
            }
            None => return Ok(chain),
        }
    }
}

/// The fields of one exception up to its end, and the number of its cause.
fn fields<'a>(
    reader: &mut Reader<'a, '_>,
    reference: u32,
    class: Option<u32>,
) -> Result<(Thrown<'a>, Option<u32>), DecodeError> {
    let mut thrown = Thrown::default();
    let mut cause = None;
    if let Some(class) = class.and_then(|class| reader.class(class)) {
        thrown.class = class.name().to_cow();
    }
    let depth = reader.depth();
    for position in 0usize.. {
        let name = match class {
            Some(class) => reader.class(class).and_then(|class| class.field(position)),
            None => match reader.read()? {
                Token::End => break,
                Token::Str(name) => Some(name),
                _ => {
                    skip_open(reader, depth)?;
                    None
                }
            },
        };
        let token = reader.read()?;
        if reader.depth() < depth {
            break;
        }
        let name = name.map(|name| name.to_cow());
        match (name.as_deref(), token) {
            (Some("detailMessage"), Token::Str(text)) => thrown.message = Some(text.to_cow()),
            (Some("exceptionClass"), Token::Str(text)) => thrown.exception_class = Some(text.to_cow()),
            (Some("exceptionMessage"), Token::Str(text)) => thrown.exception_message = Some(text.to_cow()),
            (Some("code"), Token::Int(code)) => thrown.code = Some(code),
            (Some("cause"), Token::Ref(to)) if to != reference => cause = Some(to),
            (
                Some("cause"),
                Token::ObjectStart { reference: to, .. } | Token::MapStart { reference: to, .. },
            ) => {
                cause = Some(to);
            }
            _ => {}
        }
        skip_open(reader, depth)?;
    }
    Ok((thrown, cause))
}

fn skip_open(reader: &mut Reader<'_, '_>, depth: usize) -> Result<(), DecodeError> {
    while reader.depth() > depth {
        reader.read()?;
    }
    Ok(())
}

/// Writes a Throwable with all four standard fields: an empty stack, no cause, nothing suppressed.
///
/// `fields` are further fields of the class (only text), such as those of a `GenericException`.
pub fn write(writer: &mut Writer<'_>, class: &str, message: &str, fields: &[(&str, &str)]) {
    let names = ["detailMessage", "cause", "stackTrace", "suppressedExceptions"];
    let all: Vec<&str> = names
        .into_iter()
        .chain(fields.iter().map(|(name, _)| *name))
        .collect();
    let class = writer.define_class(class, all);
    writer.begin_object(class);
    writer.string(message);
    writer.null();
    // Never null: an old JDK fails on it, three Python clients break on it.
    writer.begin_list(Some("[java.lang.StackTraceElement"), 0);
    writer.null();
    fields.iter().for_each(|(_, value)| writer.string(value));
}

/// A Throwable as a stream of its own.
pub fn encode(class: &str, message: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len().saturating_add(160));
    write(&mut Writer::new(&mut out), class, message, &[]);
    out
}
