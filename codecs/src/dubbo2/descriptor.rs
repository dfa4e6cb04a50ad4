//! Parameter descriptors: `JLjava/lang/String;[I`.

use std::borrow::Cow;

/// The parameters of a descriptor, one after another.
///
/// Tolerant as far as real peers need: a class without its `;` (dubbo-go's table has some) ends at the next `[` or at the
/// end.
pub fn parameters(descriptor: &str) -> Parameters<'_> {
    Parameters { rest: descriptor }
}

/// See [`parameters`].
#[derive(Clone, Debug)]
pub struct Parameters<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Parameters<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let dimensions = self.rest.bytes().take_while(|byte| *byte == b'[').count();
        let element = self.rest.get(dimensions..).unwrap_or_default();
        let len = match element.chars().next() {
            None => 0,
            // One search for whichever comes first: a second one could pass over the whole rest, for each parameter.
            Some('L') => match element.find([';', '[']) {
                Some(end) if element.as_bytes().get(end) == Some(&b';') => end.saturating_add(1),
                Some(bracket) => bracket,
                None => element.len(),
            },
            Some(letter) => letter.len_utf8(),
        };
        let (parameter, rest) = self.rest.split_at_checked(dimensions.saturating_add(len))?;
        self.rest = rest;
        Some(parameter)
    }
}

/// One parameter as Java source spells it, `java.lang.String[]`: what generic calls carry.
pub fn class_name(parameter: &str) -> Cow<'static, str> {
    let dimensions = parameter.bytes().take_while(|byte| *byte == b'[').count();
    let element = parameter.get(dimensions..).unwrap_or_default();
    let name: Cow<'static, str> = match primitive(element) {
        Some(name) => Cow::Borrowed(name),
        None => {
            let name = element.strip_prefix('L').unwrap_or(element);
            Cow::Owned(name.strip_suffix(';').unwrap_or(name).replace('/', "."))
        }
    };
    match dimensions {
        0 => name,
        _ => Cow::Owned(format!("{name}{}", "[]".repeat(dimensions))),
    }
}

/// The descriptor of one class name: `int`, `java.lang.String[]`, and the forms `[I` and `[Ljava.lang.String;`.
pub fn of_class_name(name: &str) -> String {
    if name.starts_with('[') {
        return name.replace('.', "/");
    }
    let mut element = name;
    let mut descriptor = String::new();
    while let Some(inner) = element.strip_suffix("[]") {
        element = inner;
        descriptor.push('[');
    }
    match PRIMITIVES.iter().find(|(_, primitive)| *primitive == element) {
        Some((letter, _)) => descriptor.push_str(letter),
        None => {
            descriptor.push('L');
            descriptor.push_str(&element.replace('.', "/"));
            descriptor.push(';');
        }
    }
    descriptor
}

const PRIMITIVES: [(&str, &str); 9] = [
    ("Z", "boolean"),
    ("B", "byte"),
    ("C", "char"),
    ("S", "short"),
    ("I", "int"),
    ("J", "long"),
    ("F", "float"),
    ("D", "double"),
    ("V", "void"),
];

fn primitive(letter: &str) -> Option<&'static str> {
    let (_, name) = PRIMITIVES.iter().find(|(known, _)| *known == letter)?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_descriptors() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("IJ", &["I", "J"]),
            ("Ljava/lang/String;", &["Ljava/lang/String;"]),
            ("[[JLcom/x/A$B;Z", &["[[J", "Lcom/x/A$B;", "Z"]),
            ("[Ljava/util/Date[I", &["[Ljava/util/Date", "[I"]),
            ("Lcom/x/A", &["Lcom/x/A"]),
            ("V", &["V"]),
            ("[", &["["]),
            ("La[Lb;I", &["La", "[Lb;", "I"]),
        ];
        for (descriptor, expected) in cases {
            assert_eq!(
                parameters(descriptor).collect::<Vec<_>>(),
                *expected,
                "{descriptor}"
            );
        }
    }

    /// With a search to the end for each parameter this took hours.
    #[test]
    fn eight_megabytes_of_open_classes_are_split_in_one_pass() {
        assert_eq!(parameters(&"L[".repeat(4 << 20)).count(), (4 << 20) + 1);
    }

    #[test]
    fn names_classes() {
        let cases = [
            ("I", "int"),
            ("[[J", "long[][]"),
            ("Ljava/lang/String;", "java.lang.String"),
            ("[Lcom/x/Outer$Inner;", "com.x.Outer$Inner[]"),
        ];
        for (descriptor, name) in cases {
            assert_eq!(class_name(descriptor), name);
            assert_eq!(of_class_name(name), descriptor);
        }
        assert_eq!(of_class_name("[Ljava.lang.String;"), "[Ljava/lang/String;");
        assert_eq!(of_class_name("[I"), "[I");
    }
}
