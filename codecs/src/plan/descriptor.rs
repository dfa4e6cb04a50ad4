//! Parameter types: the JVM descriptor of Dubbo2 and the `Class.getName()` list of a wrapper.

use smallvec::SmallVec;

use crate::protobuf::JavaType;

pub use crate::dubbo2::descriptor::of_class_name;

/// Type names of parameters.
pub type Names = SmallVec<[String; 4]>;

/// The types of a JVM descriptor as `Class.getName()` prints them: `JLjava/lang/String;` gives `long` and
/// `java.lang.String`. `None` when it is malformed.
pub fn class_names(descriptor: &str) -> Option<Names> {
    let types = JavaType::parse_descriptor(descriptor)?;
    Some(types.iter().map(JavaType::class_name).collect())
}

/// The JVM descriptor of types as `Class.getName()` prints them. `None` when a name is malformed.
///
/// dubbo-go's own spellings are understood: `[Ljava.util.Date` without its semicolon, and `V` for a nil argument,
/// which stands for any reference.
pub fn from_class_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let mut descriptor = String::new();
    for name in names {
        let parsed = match name {
            "V" => Some(JavaType::object()),
            _ if name.starts_with("[L") && !name.ends_with(';') => JavaType::parse(&format!("{name};")),
            _ => JavaType::parse(name),
        };
        descriptor.push_str(&parsed?.descriptor());
    }
    Some(descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_notations_say_the_same() {
        for (descriptor, names) in [
            ("", &[][..]),
            ("J", &["long"]),
            ("Ljava/lang/String;I", &["java.lang.String", "int"]),
            ("[J[Ljava/lang/String;", &["[J", "[Ljava.lang.String;"]),
            ("La/B$C;Z", &["a.B$C", "boolean"]),
        ] {
            assert_eq!(class_names(descriptor).unwrap().as_slice(), names);
            assert_eq!(from_class_names(names.iter().copied()).unwrap(), descriptor);
        }
        assert_eq!(class_names("L"), None);
        assert_eq!(
            from_class_names(["[Ljava.util.Date", "V"]).unwrap(),
            "[Ljava/util/Date;Ljava/lang/Object;"
        );
    }
}
