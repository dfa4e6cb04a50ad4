//! Hessian 2 values as a tree, and as lines of typed JSON.

use std::fmt::Write;

use codecs::hessian2::{Limits, Reader, Scratch, Token, TypeIndex};
use codecs::value::{MAX_DEPTH, Value, json};

use super::{Stopped, Tree, hex, quoted, read_hex};

/// What one value may hold: more than a call may, for what is asked here comes from the one who asks; as deep as `encode` takes.
const LIMITS_OF_A_LINE: Limits = Limits {
    depth: MAX_DEPTH,
    nodes: 16 << 20,
    decoded_bytes: 512 << 20,
    classes: 64 << 10,
    class_fields: 64 << 10,
    fields: 1 << 20,
    string_len: 64 << 20,
    types: 1 << 20,
    references: 16 << 20,
};

/// A value in hex as a line of typed JSON.
pub(super) fn line(text: &str) -> Result<String, String> {
    let bytes = read_hex(text)?;
    let (value, end) = Value::decode(&bytes, &mut Scratch::default(), &LIMITS_OF_A_LINE)
        .map_err(|error| error.to_string())?;
    if end != bytes.len() {
        let more = bytes.len() - end;
        let unit = if more == 1 { "byte" } else { "bytes" };
        return Err(format!(
            "{more} {unit} behind the value, which ends at byte {end:#x}"
        ));
    }
    Ok(json::to_json(&value))
}

/// A line of typed JSON as a value in hex.
pub(super) fn encode_line(text: &str) -> Result<String, String> {
    let value = json::from_json(text).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    Ok(hex(&bytes, usize::MAX))
}

/// All values of one stream.
pub(super) fn stream(bytes: &[u8], tree: &mut Tree) -> Result<(), Stopped> {
    values(bytes, 0, 0, usize::MAX, tree).map(|_| ())
}

enum Open {
    List(usize),
    Map(bool),
    Object(u32, usize),
}

/// At most `count` values of the stream `bytes`, which stands at `base` in what the reader of the lines looks at; gives
/// the offset after the last one.
pub(super) fn values(
    bytes: &[u8],
    base: usize,
    depth: usize,
    count: usize,
    tree: &mut Tree,
) -> Result<usize, Stopped> {
    let mut scratch = Scratch::default();
    let mut reader = Reader::new(bytes, &mut scratch, &Limits::DEFAULT);
    let mut open: Vec<Open> = Vec::new();
    // Where the line of each list, map and object stands: before a class that is defined with the object.
    let mut lines: Vec<usize> = Vec::new();
    let mut done = 0;
    while done < count && (reader.offset() < bytes.len() || !open.is_empty()) {
        let at = reader.offset();
        let token = reader
            .read()
            .map_err(|error| Stopped::new(base + error.offset, error.kind.to_string()))?;
        if token == Token::End {
            open.pop();
            if open.is_empty() {
                done += 1;
            }
            continue;
        }
        let label = match open.last_mut() {
            None => String::new(),
            Some(Open::List(index)) => {
                *index += 1;
                format!("[{}] ", *index - 1)
            }
            Some(Open::Map(is_key)) => {
                *is_key = !*is_key;
                if *is_key { "key " } else { "  → " }.to_owned()
            }
            Some(Open::Object(class, index)) => {
                let position = *index;
                *index += 1;
                let class = reader.class(*class);
                let name = class.and_then(|class| class.field(position));
                name.map_or_else(
                    || format!("field {position}: "),
                    |name| format!("{}: ", name.to_cow()),
                )
            }
        };
        let mut text = format!("{label}{}", describe(&token, &reader));
        match token {
            Token::ListStart { .. } | Token::MapStart { .. } | Token::ObjectStart { .. } => {
                lines.push(base + at)
            }
            Token::Ref(index) => {
                if let Some(line) = usize::try_from(index).ok().and_then(|index| lines.get(index)) {
                    let _ = write!(text, " at {}", tree.shown(*line));
                }
            }
            _ => {}
        }
        tree.line(base + at, depth + open.len(), &text);
        match token {
            Token::ListStart { .. } => open.push(Open::List(0)),
            Token::MapStart { .. } => open.push(Open::Map(false)),
            Token::ObjectStart { class, .. } => open.push(Open::Object(class, 0)),
            _ if open.is_empty() => done += 1,
            _ => {}
        }
    }
    Ok(reader.offset())
}

fn describe(token: &Token<'_>, reader: &Reader<'_, '_>) -> String {
    match token {
        Token::Null => "null".to_owned(),
        Token::Bool(value) => value.to_string(),
        Token::Int(value) => format!("int {value}"),
        Token::Long(value) => format!("long {value}"),
        Token::Double(value) => format!("double {value:?}"),
        Token::Date(millis) => format!("date {millis} ms"),
        Token::Str(text) => {
            let lone = if text.has_lone_surrogate() {
                " (lone surrogate)"
            } else {
                ""
            };
            format!("{}{lone}", quoted(&text.to_cow()))
        }
        Token::Binary(bytes) => format!("binary, {} bytes: {}", bytes.len(), hex(&bytes.to_cow(), 32)),
        Token::ListStart {
            reference,
            type_index,
            len,
        } => {
            let of = of_type(reader, *type_index);
            let len = len.map_or("open-ended".to_owned(), |len| format!("of {len}"));
            format!("list{of} {len}  (#{reference})")
        }
        Token::MapStart {
            reference,
            type_index,
        } => {
            let of = of_type(reader, *type_index);
            format!("map{of}  (#{reference})")
        }
        Token::ObjectStart { reference, class } => {
            let name = reader
                .class(*class)
                .map(|class| class.name().to_cow().into_owned());
            format!(
                "object {}  (#{reference}, class {class})",
                name.unwrap_or_default()
            )
        }
        Token::Ref(index) => format!("reference to #{index}"),
        Token::End => String::new(),
    }
}

fn of_type(reader: &Reader<'_, '_>, of: Option<TypeIndex>) -> String {
    of.and_then(|of| reader.type_name(of))
        .map_or(String::new(), |name| format!(" {}", name.to_cow()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(hex: &str) -> String {
        let mut tree = Tree::default();
        let bytes = read_hex(hex).unwrap();
        stream(&bytes, &mut tree).unwrap();
        tree.text
    }

    #[test]
    fn values_are_shown_with_offsets_and_field_names() {
        // User{userID: 7, name: null, tags: ["a"]}, a map with a back reference, 1
        let shown = tree(
            "4304 55736572 93 06 757365724944 04 6e616d65 04 74616773 60 e7 4e 790161 48 0161 5191 5a 91",
        );
        let want = [
            "000000  object User  (#0, class 0)",
            "000019    userID: long 7",
            "00001a    name: null",
            "00001b    tags: list of 1  (#1)",
            "00001c      [0] \"a\"",
            "00001e  map  (#2)",
            "00001f    key \"a\"",
            "000021      → reference to #1 at 00001b",
            "000024  int 1",
        ];
        assert_eq!(shown.lines().collect::<Vec<_>>(), want);
    }

    /// A reference names the line that a person finds, also where a class is defined before its object, and where what is shown
    /// came in pieces.
    #[test]
    fn references_name_the_line_of_what_they_mean() {
        // [A{}, #1]
        let bytes = read_hex("57 430141 90 60 5191 5a").unwrap();
        let want = |list: &str, object: &str, reference: &str| {
            format!(
                "{list}  list open-ended  (#0)\n{object}    [0] object A  (#1, class 0)\n\
                 {reference}    [1] reference to #1 at {object}\n"
            )
        };
        let mut whole = Tree::default();
        stream(&bytes, &mut whole).unwrap();
        assert_eq!(whole.text, want("000000", "000001", "000006"));
        let mut pieces = Tree::at(vec![(0, 0x100), (6, 0x200)]);
        stream(&bytes, &mut pieces).unwrap();
        assert_eq!(pieces.text, want("000100", "000101", "000200"));
    }

    #[test]
    fn lines_go_both_ways_and_say_what_is_wrong() {
        let json = line("790161").unwrap();
        assert_eq!(encode_line(&json).unwrap(), "790161");
        assert_eq!(
            line("9091").unwrap_err(),
            "1 byte behind the value, which ends at byte 0x1"
        );
        assert_eq!(line("xx").unwrap_err(), "not hex: 'x' at character 1");
        assert!(line("5e").is_err());
        assert!(encode_line("{").is_err());
        // What the one writes the other reads, as deep as it goes.
        let deep = |levels: usize| {
            let open = r#"{"t":"java.util.ArrayList","v":["#;
            format!("{}{}", open.repeat(levels), "]}".repeat(levels))
        };
        let bytes = encode_line(&deep(256)).unwrap();
        assert_eq!(line(&bytes), Ok(deep(256)));
        assert!(encode_line(&deep(257)).is_err());
        assert!(line(&format!("79{bytes}")).unwrap_err().contains("nesting"));
    }
}
