//! A Throwable as Java's printer shows it: its message and cause, and how many frames and suppressed exceptions it has.

use super::ParseError;
use crate::hessian2::JavaText;
use crate::value::Value;

const NAMES: [&str; 4] = ["message", "cause", "suppressed", "frames"];

/// Whether these fields begin as those that Java's printer shows; on the wire they have other names.
pub(super) fn looks_like(names: &[JavaText], values: &[Value]) -> bool {
    let begins = names.get(..4).is_some_and(|names| {
        let mut pairs = names.iter().zip(NAMES);
        pairs.all(|(name, known)| name.as_str() == Some(known))
    });
    begins && matches!(values.get(2..4), Some([Value::Int(_), Value::Int(_)]))
}

/// The four fields on the wire, in the order in which their lists, maps and objects were numbered. `number` is that of the
/// Throwable itself, which is its own cause where it has none.
pub(super) fn on_wire(
    values: Vec<Value>,
    number: u32,
    offset: usize,
) -> Result<[(JavaText, Value); 4], ParseError> {
    let Ok([message, cause, Value::Int(0), Value::Int(0)]) = <[Value; 4]>::try_from(values) else {
        let problem = "frames and suppressed exceptions are counted here, not told";
        return Err(ParseError { offset, problem });
    };
    let cause = match cause {
        Value::Null => Value::Ref(number),
        cause => cause,
    };
    Ok([
        ("detailMessage".into(), message),
        ("cause".into(), cause),
        (
            "suppressedExceptions".into(),
            Value::typed_list("java.util.Collections$EmptyList", []),
        ),
        (
            "stackTrace".into(),
            Value::typed_list("[java.lang.StackTraceElement", []),
        ),
    ])
}
