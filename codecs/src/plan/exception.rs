//! Java exceptions and gRPC statuses, both ways.
//!
//! Pure functions. Which of the two a caller gets, and when a status is no exception at all, is decided by the bridge.

use bytes::Bytes;

use crate::hessian2::{Limits, Reader, Scratch as HessianScratch, Token, Writer, throwable};
use crate::protobuf::binding::MethodBinding;
use crate::protobuf::transcode;
use crate::triple::status::codes::{from_rpc_exception, to_rpc_exception};
use crate::triple::status::details::{self, Builder};
use crate::triple::status::{Code, Status};

use super::Scratch;

/// The most that the details of a status may weigh.
const MOST_DETAILS: usize = 4096;
/// The most own fields of an exception that are told.
const MOST_FIELDS: usize = 16;
/// The most of one of them.
const MOST_FIELD_BYTES: usize = 256;
/// The most frames of a stack that are told.
const MOST_FRAMES: usize = 6;

/// The key of an `ErrorInfo`'s metadata that names the Java class.
pub const JAVA_CLASS: &str = "java.class";

/// The status of a Throwable, which is the one Hessian 2 value of `throwable`.
///
/// A Throwable that cannot be read is `UNKNOWN` without a text: it was thrown all the same.
pub fn to_status(
    throwable: &Bytes,
    method: Option<&MethodBinding>,
    scratch: &mut Scratch,
    limits: &Limits,
) -> Status {
    let Ok(chain) = throwable::read(throwable, &mut scratch.hessian, limits) else {
        return Status::new(Code::Unknown, "exception");
    };
    // The outermost that is not a mere carrier of another.
    let mut index = 0usize;
    while let Some(thrown) = chain.get(index)
        && is_carrier(&thrown.class)
        && chain.len() > index.saturating_add(1)
    {
        index = index.saturating_add(1);
    }
    let Some(thrown) = chain.get(index) else {
        return Status::new(Code::Unknown, "exception");
    };
    let (class, message) = match (&thrown.exception_class, thrown.is_generic()) {
        (Some(class), true) => (class.clone(), thrown.exception_message.clone()),
        _ => (thrown.class.clone(), thrown.message.clone()),
    };
    let binding = method.and_then(|method| method.exceptions.classes.get(&*class));
    let heuristic = method.is_some_and(|method| method.exceptions.heuristic_codes);
    let code = match binding.and_then(|binding| binding.code) {
        Some(code) => code,
        None if is_rpc_exception(&class) => from_rpc_exception(thrown.code.unwrap_or(0), false),
        None => built_in(&class, heuristic),
    };
    let text = message
        .as_deref()
        .filter(|text| !text.is_empty())
        .unwrap_or(&class);
    let mut metadata = vec![(JAVA_CLASS.to_owned(), class.to_string())];
    if let Some(method) = method {
        metadata.push(("dubbo.method".to_owned(), method.name.clone()));
    }
    if index == 0 {
        metadata.extend(own_fields(throwable, &mut scratch.hessian, limits));
    }
    let mut builder = Builder::new(code.number(), &cut(text, 1024)).error_info(
        &reason(&class),
        &format!(
            "java/{}",
            class.rsplit_once('.').map_or("", |(package, _)| package)
        ),
        metadata,
    );
    let bound = binding.and_then(|binding| binding.message.as_ref());
    if let (Some((name, id)), Some(method), 0) = (bound, method, index)
        && let Ok(bytes) = transcode::object_to_protobuf(&method.types, *id, throwable, scratch, limits)
    {
        builder = builder.any(name, bytes.into());
        if builder.weight() > MOST_DETAILS {
            builder.pop();
        }
    }
    if method.is_some_and(|method| method.exceptions.expose_stack) {
        let stack = stack(throwable, &mut scratch.hessian, limits);
        if !stack.is_empty() {
            builder = builder.debug_info(stack);
            if builder.weight() > MOST_DETAILS {
                builder.pop();
            }
        }
    }
    if builder.weight() > MOST_DETAILS {
        builder.pop();
        builder = builder.error_info(&reason(&class), "java/", [(JAVA_CLASS, class.as_ref())]);
    }
    Status {
        code: code.number(),
        message: text.to_owned(),
        details: builder.build(),
    }
}

/// Exceptions whose cause is what was thrown.
fn is_carrier(class: &str) -> bool {
    matches!(
        class,
        "java.lang.reflect.InvocationTargetException"
            | "java.util.concurrent.ExecutionException"
            | "java.util.concurrent.CompletionException"
            | "java.lang.reflect.UndeclaredThrowableException"
    )
}

fn is_rpc_exception(class: &str) -> bool {
    matches!(
        class,
        "org.apache.dubbo.rpc.RpcException" | "com.alibaba.dubbo.rpc.RpcException"
    )
}

fn built_in(class: &str, heuristic: bool) -> Code {
    let simple = class.rsplit_once('.').map_or(class, |(_, name)| name);
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| simple.starts_with(prefix));
    if starts(&["IllegalArgument", "ConstraintViolation", "NumberFormat"]) {
        Code::InvalidArgument
    } else if starts(&["SecurityException", "AccessDenied"]) {
        Code::PermissionDenied
    } else if starts(&["UnsupportedOperation"]) {
        Code::Unimplemented
    } else if simple == "TimeoutException"
        || class == "org.apache.dubbo.remoting.http12.exception.HttpRequestTimeout"
    {
        Code::DeadlineExceeded
    } else if heuristic && (starts(&["NoSuchElement"]) || simple.ends_with("NotFoundException")) {
        Code::NotFound
    } else {
        Code::Unknown
    }
}

/// `OutOfStockException` to `OUT_OF_STOCK_EXCEPTION`, at most 63 characters.
fn reason(class: &str) -> String {
    let simple = class.rsplit_once(['.', '$']).map_or(class, |(_, name)| name);
    let mut text = String::new();
    let mut lower = false;
    for c in simple.chars().filter(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && lower {
            text.push('_');
        }
        lower = !c.is_ascii_uppercase();
        text.push(c.to_ascii_uppercase());
    }
    text.truncate(63);
    text
}

fn cut(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default().to_owned()
}

/// The scalar fields that the exception's own class adds.
fn own_fields(throwable: &[u8], scratch: &mut HessianScratch, limits: &Limits) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut reader = Reader::new(throwable, scratch, limits);
    let Ok(Token::ObjectStart { class, .. }) = reader.read() else {
        return found;
    };
    for position in 0usize.. {
        let name = reader.class(class).and_then(|class| class.field(position));
        let (Some(name), Ok(token)) = (name, reader.read()) else {
            break;
        };
        let name = name.to_cow();
        let standard = matches!(
            &*name,
            "detailMessage"
                | "cause"
                | "stackTrace"
                | "suppressedExceptions"
                | "exceptionClass"
                | "exceptionMessage"
        );
        let text = match token {
            _ if standard || found.len() >= MOST_FIELDS => None,
            Token::Bool(value) => Some(value.to_string()),
            Token::Int(value) => Some(value.to_string()),
            Token::Long(value) => Some(value.to_string()),
            Token::Double(value) => Some(value.to_string()),
            Token::Str(text) => Some(cut(&text.to_cow(), MOST_FIELD_BYTES)),
            _ => None,
        };
        if let Some(text) = text {
            found.push((name.into_owned(), text));
        }
        while reader.depth() > 1 {
            if reader.read().is_err() {
                return found;
            }
        }
        if reader.depth() == 0 {
            break;
        }
    }
    found
}

/// The first frames of the stack, as Java prints them.
fn stack(throwable: &[u8], scratch: &mut HessianScratch, limits: &Limits) -> Vec<String> {
    let value = crate::value::Value::decode(throwable, scratch, limits);
    let Ok((crate::value::Value::Object(thrown), _)) = value else {
        return Vec::new();
    };
    let Some(frames) = thrown.field("stackTrace") else {
        return Vec::new();
    };
    frames
        .children()
        .take(MOST_FRAMES)
        .filter_map(|frame| {
            let crate::value::Value::Object(frame) = frame else {
                return None;
            };
            let text = |name| match frame.field(name) {
                Some(crate::value::Value::String(text)) => text.to_str_lossy().into_owned(),
                _ => String::new(),
            };
            let line = match frame.field("lineNumber") {
                Some(crate::value::Value::Int(line)) if *line >= 0 => format!(":{line}"),
                _ => String::new(),
            };
            let frame = format!(
                "{}.{}({}{line})",
                text("declaringClass"),
                text("methodName"),
                text("fileName")
            );
            Some(cut(&frame, MOST_FIELD_BYTES))
        })
        .collect()
}

/// What a caller is known to be able to build, from the `release` in its registry entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Builds {
    /// Nothing is proven: only what the method declares and `java.lang.RuntimeException` are safe.
    #[default]
    Unproven,
    /// Java Dubbo before 2.7: its own `com.alibaba.dubbo.rpc.RpcException`, and what the method declares.
    Alibaba,
    /// Java Dubbo 2.7 to 3.2.
    Apache,
    /// Java Dubbo 3.3 and later.
    Apache33,
}

impl Builds {
    /// From a `release` such as `2.7.23`; empty or dubbo-go's are unproven.
    pub fn from_release(release: &str) -> Self {
        let mut numbers = release.split('.').map(str::parse::<u32>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(2)), Some(Ok(0..=6))) => Self::Alibaba,
            (Some(Ok(2)), Some(Ok(_))) | (Some(Ok(3)), Some(Ok(0..=2))) => Self::Apache,
            (Some(Ok(3..)), Some(Ok(_))) => Self::Apache33,
            _ => Self::Unproven,
        }
    }
}

/// Exceptions of the JDK that have a message and nothing else, and that every Dubbo release lets through its class check.
const JDK: [&str; 8] = [
    "java.lang.RuntimeException",
    "java.lang.Exception",
    "java.lang.IllegalArgumentException",
    "java.lang.IllegalStateException",
    "java.lang.NullPointerException",
    "java.lang.IndexOutOfBoundsException",
    "java.lang.NumberFormatException",
    "java.lang.ClassCastException",
];

/// The exception that a method declares and a status tells, as one Hessian 2 value: by the detail that is bound to its class,
/// else by the class that an `ErrorInfo` names. `None` when the status tells none, or one that the binding's `throws` does
/// not list.
///
/// Whoever calls the method's interface has the classes that it declares, of whatever release it is.
pub fn declared(
    status: &Status,
    method: &MethodBinding,
    scratch: &mut Scratch,
    limits: &Limits,
) -> Option<Bytes> {
    if method.throws.is_empty() || status.details.is_empty() {
        return None;
    }
    let details = details::parse(&status.details)?;
    for class in &method.throws {
        let bound = method.exceptions.classes.get(class);
        let Some((name, id)) = bound.and_then(|bound| bound.message.as_ref()) else {
            continue;
        };
        let Some(any) = details.details.iter().find(|any| any.message_name() == name) else {
            continue;
        };
        let written = transcode::throwable_of_message(
            &method.types,
            *id,
            class,
            &status.message,
            &any.value,
            scratch,
            limits,
        );
        // What cannot be converted leaves the class and the text.
        return Some(written.map_or_else(|_| throwable::encode(class, &status.message).into(), Bytes::from));
    }
    let class = details::error_info(&details)?.metadata.get(JAVA_CLASS).cloned()?;
    let declares = method.throws.contains(&class);
    declares.then(|| throwable::encode(&class, &status.message).into())
}

/// The Throwable of a status, as one Hessian 2 value.
///
/// It is what the method [declares](declared), else a `java.lang.RuntimeException` with the status's text, unless the caller
/// provably can build another one. A `method` is given where the caller has its interface: a generic caller has not.
pub fn to_throwable(
    status: &Status,
    method: Option<&MethodBinding>,
    caller: Builds,
    scratch: &mut Scratch,
    limits: &Limits,
) -> Bytes {
    if let Some(declared) = method.and_then(|method| declared(status, method, scratch, limits)) {
        return declared;
    }
    let code = Code::from_number(status.code);
    let plain = || {
        let text = if status.message.is_empty() {
            code.name().to_owned()
        } else {
            status.message.clone()
        };
        Bytes::from(throwable::encode(throwable::RUNTIME_EXCEPTION, &text))
    };
    if caller == Builds::Unproven {
        return plain();
    }
    let class = details::parse(&status.details)
        .as_ref()
        .and_then(details::error_info)
        .and_then(|info| info.metadata.get(JAVA_CLASS).cloned());
    if let Some(class) = class.filter(|class| JDK.contains(&class.as_str())) {
        return throwable::encode(&class, &status.message).into();
    }
    if matches!(
        code,
        Code::PermissionDenied | Code::Unauthenticated | Code::Unimplemented | Code::InvalidArgument
    ) {
        return rpc_exception(status, code, caller).into();
    }
    plain()
}

/// Dubbo's own exception, with its code.
fn rpc_exception(status: &Status, code: Code, caller: Builds) -> Vec<u8> {
    let class = match caller {
        Builds::Alibaba => "com.alibaba.dubbo.rpc.RpcException",
        _ => "org.apache.dubbo.rpc.RpcException",
    };
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    let fields = [
        "detailMessage",
        "cause",
        "stackTrace",
        "suppressedExceptions",
        "code",
    ];
    let class = writer.define_class(class, fields);
    writer.begin_object(class);
    writer.string(&status.message);
    writer.null();
    writer.begin_list(Some("[java.lang.StackTraceElement"), 0);
    writer.null();
    writer.int(to_rpc_exception(code, caller != Builds::Apache33));
    out
}
