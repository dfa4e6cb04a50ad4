//! Triple and gRPC messages as a tree: wrapper messages with the Hessian values in them, others by field number.

use bytes::Bytes;
use codecs::triple::message::{Compression, PREFIX, Splitter};
use codecs::triple::wrapper;

use super::{Stopped, Tree, hessian, hex, http2, quoted};

/// The largest message that is shown.
const MOST: usize = 64 << 20;

/// Whether bytes begin with a message's 5-byte prefix that fits.
pub(super) fn is_prefixed(bytes: &[u8]) -> bool {
    match bytes {
        [0 | 1, a, b, c, d, rest @ ..] => {
            usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).is_ok_and(|length| length <= rest.len())
        }
        _ => false,
    }
}

/// Messages with their prefix, one message without it, or one direction of an HTTP/2 connection.
pub(super) fn messages(bytes: &[u8], tree: &mut Tree) -> Result<(), Stopped> {
    if bytes.starts_with(http2::PREFACE) || http2::is_server(bytes) {
        return http2::frames(bytes, tree);
    }
    if is_prefixed(bytes) {
        return prefixed(&Bytes::copy_from_slice(bytes), 0, 0, tree);
    }
    message(&Bytes::copy_from_slice(bytes), 0, 0, tree)
}

fn prefixed(bytes: &Bytes, base: usize, depth: usize, tree: &mut Tree) -> Result<(), Stopped> {
    let mut splitter = Splitter::new(MOST);
    splitter.push(bytes.clone());
    let mut at = base;
    loop {
        let next = splitter.next_message();
        let Some(next) = next.map_err(|error| Stopped::new(at, error.to_string()))? else {
            break;
        };
        let length = next.bytes.len();
        let start = at + PREFIX;
        if next.compressed {
            let plain = next
                .inflate(Compression::Gzip, MOST)
                .map_err(|error| Stopped::new(start, error.to_string()))?;
            inflated(&plain, length, at, depth, tree)?;
        } else {
            tree.line(at, depth, &format!("message, {length} bytes"));
            message(&next.bytes, start, depth + 1, tree)?;
        }
        at = start + length;
    }
    splitter
        .finish()
        .map_err(|error| Stopped::new(at, error.to_string()))
}

/// A message that took `length` bytes at `at` before it was inflated. The error is in the tree, too.
pub(super) fn inflated(
    plain: &Bytes,
    length: usize,
    at: usize,
    depth: usize,
    tree: &mut Tree,
) -> Result<(), Stopped> {
    let head = format!(
        "message, {length} bytes of gzip; inflated {}, whose offsets have a +",
        plain.len()
    );
    tree.line(at, depth, &head);
    let mut below = Tree::inflated();
    let read = message(plain, 0, depth + 1, &mut below);
    if let Err(stopped) = &read {
        below.stopped(depth + 1, stopped);
    }
    tree.append(below);
    read.map_err(|_| Stopped::new(at, "a compressed message that is not readable"))
}

/// What a message is, in few words.
pub(super) fn name(bytes: &Bytes) -> String {
    match wrapper::Request::decode(bytes) {
        Ok(request) if wrapper::is_serialization_name(&request.serialize_type) => {
            let types: Vec<&str> = request.arg_types.iter().map(|name| name.as_str()).collect();
            let types = quoted(&types.join(", "));
            format!("wrapper {} ({})", request.serialize_type, types.trim_matches('"'))
        }
        _ => format!("message of {} bytes", bytes.len()),
    }
}

/// A message without its prefix, which stands at `base`.
pub(super) fn message(bytes: &Bytes, base: usize, depth: usize, tree: &mut Tree) -> Result<(), Stopped> {
    if let Ok(request) = wrapper::Request::decode(bytes)
        && wrapper::is_serialization_name(&request.serialize_type)
    {
        let place = |part: &[u8]| base + (part.as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize);
        tree.line(
            base,
            depth,
            &format!("wrapper, serializeType {}", request.serialize_type),
        );
        for (index, value) in request.args.iter().enumerate() {
            let name = request.arg_types.get(index).map_or("?", |name| name.as_str());
            tree.line(place(value), depth + 1, &format!("[{index}] {name}"));
            if wrapper::is_hessian2(&request.serialize_type) {
                hessian::values(value, place(value), depth + 2, 1, tree)?;
            } else {
                tree.line(place(value), depth + 2, &hex(value, 64));
            }
        }
        return Ok(());
    }
    fields(bytes, base, depth, tree)
}

/// The most that messages nest in messages here; protobuf itself allows 100.
const DEEPEST: usize = 100;

/// A protobuf message without its descriptor: what a field of bytes holds is guessed.
fn fields(bytes: &[u8], base: usize, depth: usize, tree: &mut Tree) -> Result<(), Stopped> {
    let mut at = 0;
    while at < bytes.len() {
        let start = base + at;
        let broken = || Stopped::new(start, "no protobuf field");
        let key = varint(bytes, &mut at).ok_or_else(broken)?;
        let (number, kind) = (key >> 3, key & 7);
        if number == 0 {
            return Err(broken());
        }
        match kind {
            0 => {
                let value = varint(bytes, &mut at).ok_or_else(broken)?;
                tree.line(start, depth, &format!("{number}: varint {value}"));
            }
            1 => {
                let value = take(bytes, &mut at, 8).ok_or_else(broken)?;
                tree.line(start, depth, &format!("{number}: 64 bits {}", hex(value, 8)));
            }
            5 => {
                let value = take(bytes, &mut at, 4).ok_or_else(broken)?;
                tree.line(start, depth, &format!("{number}: 32 bits {}", hex(value, 4)));
            }
            2 => {
                let length = varint(bytes, &mut at).ok_or_else(broken)?;
                let length = usize::try_from(length).map_err(|_| broken())?;
                let inner = base + at;
                let value = take(bytes, &mut at, length).ok_or_else(broken)?;
                nested(number, value, start, inner, depth, tree);
            }
            _ => return Err(broken()),
        }
    }
    Ok(())
}

/// Text where it is text that a person wrote, a message where it is one, else bytes.
fn nested(number: u64, value: &[u8], start: usize, inner: usize, depth: usize, tree: &mut Tree) {
    let text = std::str::from_utf8(value).ok();
    if let Some(text) = text.filter(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace())) {
        return tree.line(start, depth, &format!("{number}: {}", quoted(text)));
    }
    let mut attempt = tree.like();
    if depth < DEEPEST && fields(value, inner, depth + 1, &mut attempt).is_ok() {
        tree.line(start, depth, &format!("{number}: message, {} bytes", value.len()));
        tree.append(attempt);
    } else {
        tree.line(
            start,
            depth,
            &format!("{number}: {} bytes {}", value.len(), hex(value, 48)),
        );
    }
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &'a [u8], at: &mut usize, length: usize) -> Option<&'a [u8]> {
    let taken = bytes.get(*at..at.checked_add(length)?)?;
    *at += length;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapper_shows_its_arguments() {
        let mut out = bytes::BytesMut::new();
        wrapper::encode_request(
            "hessian4",
            [b"\x05hello"].iter(),
            ["java.lang.String"].iter(),
            &mut out,
        );
        let mut tree = Tree::default();
        messages(&out, &mut tree).unwrap();
        let want = "000000  wrapper, serializeType hessian4\n00000c    [0] java.lang.String\n00000c      \"hello\"\n";
        assert_eq!(tree.text, want);
    }

    #[test]
    fn protobuf_is_shown_by_number_and_guessed() {
        let mut tree = Tree::default();
        messages(b"\x08\x07\x12\x02hi\x1a\x02\x08\x01", &mut tree).unwrap();
        let want =
            "000000  1: varint 7\n000002  2: \"hi\"\n000006  3: message, 2 bytes\n000008    1: varint 1\n";
        assert_eq!(tree.text, want);
        assert!(messages(b"\x07", &mut Tree::default()).is_err());
    }

    /// What was inflated is in no input: its offsets cannot be taken for the input's, and those behind it are the input's again.
    #[test]
    fn offsets_are_of_the_input_or_marked() {
        let packed = codecs::triple::message::gzip(b"\x08\x07").unwrap();
        let mut bytes = vec![1, 0, 0, 0, u8::try_from(packed.len()).unwrap()];
        bytes.extend_from_slice(&packed);
        let second = bytes.len();
        bytes.extend_from_slice(&[0, 0, 0, 0, 3, 8, 7, 7]);
        let mut tree = Tree::default();
        let stopped = messages(&bytes, &mut tree).unwrap_err();
        let lines: Vec<&str> = tree.text.lines().collect();
        assert!(lines[0].starts_with("000000  message, "), "{lines:?}");
        assert_eq!(lines[1], "+00000    1: varint 7");
        assert_eq!(lines[2], format!("{second:06x}  message, 3 bytes"));
        assert_eq!(lines[3], format!("{:06x}    1: varint 7", second + 5));
        assert_eq!(
            stopped.to_string(),
            format!("no protobuf field at {:06x}", second + 7)
        );
    }
}
