//! Java types as a binding writes them: `long`, `java.util.List<java.lang.Long>`, `com.x.Order[]`.

use std::fmt;

/// A Java type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JavaType {
    /// A primitive or `void`, by its keyword.
    Primitive(&'static str),
    /// A class with its type arguments.
    Class {
        /// Its binary name, `a.b.Outer$Inner`.
        name: String,
        /// Its type arguments; empty when raw.
        args: Vec<JavaType>,
    },
    /// An array.
    Array(Box<JavaType>),
}

const PRIMITIVES: [(&str, char); 9] = [
    ("void", 'V'),
    ("boolean", 'Z'),
    ("byte", 'B'),
    ("char", 'C'),
    ("short", 'S'),
    ("int", 'I'),
    ("long", 'J'),
    ("float", 'F'),
    ("double", 'D'),
];

/// How deep type arguments and arrays may nest in a text.
const MOST_NESTING: usize = 16;

impl JavaType {
    /// A class without type arguments.
    pub fn class(name: impl Into<String>) -> Self {
        Self::Class {
            name: name.into(),
            args: Vec::new(),
        }
    }

    /// `java.lang.Object`.
    pub fn object() -> Self {
        Self::class("java.lang.Object")
    }

    /// A class with type arguments.
    pub fn generic(name: &str, args: Vec<Self>) -> Self {
        Self::Class {
            name: name.to_owned(),
            args,
        }
    }

    /// Reads a type as it is written in source (`long[]`, `java.util.List<java.lang.Long>`, `String...` with a full
    /// name) or as `Class.getName()` prints it (`[J`, `[Ljava.lang.String;`). A wildcard is its bound, or Object.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let parsed = Self::parse_one(&mut rest, 0)?;
        rest.trim().is_empty().then_some(parsed)
    }

    fn parse_one(rest: &mut &str, depth: usize) -> Option<Self> {
        if depth > MOST_NESTING {
            return None;
        }
        *rest = rest.trim_start();
        if let Some(tail) = rest.strip_prefix('?') {
            *rest = tail.trim_start();
            if let Some(bound) = rest.strip_prefix("extends ") {
                *rest = bound;
                return Self::parse_one(rest, depth.saturating_add(1));
            }
            if let Some(bound) = rest.strip_prefix("super ") {
                *rest = bound;
                Self::parse_one(rest, depth.saturating_add(1))?;
            }
            return Some(Self::object());
        }
        if rest.starts_with('[') {
            return Self::parse_name(rest, depth);
        }
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$' | '.')))
            .unwrap_or(rest.len());
        // `String...` leaves its dots to the suffix.
        let name = rest.get(..end)?.trim_end_matches("...");
        *rest = rest.get(name.len()..)?;
        let mut parsed = match PRIMITIVES.iter().find(|(keyword, _)| *keyword == name) {
            Some((keyword, _)) => Self::Primitive(keyword),
            None if is_class_name(name) => Self::class(name),
            None => return None,
        };
        if let Some(tail) = rest.trim_start().strip_prefix('<') {
            *rest = tail;
            let mut args = Vec::new();
            loop {
                args.push(Self::parse_one(rest, depth.saturating_add(1))?);
                *rest = rest.trim_start();
                if let Some(tail) = rest.strip_prefix(',') {
                    *rest = tail;
                } else {
                    *rest = rest.strip_prefix('>')?;
                    break;
                }
            }
            let Self::Class { name, .. } = parsed else {
                return None;
            };
            parsed = Self::Class { name, args };
        }
        for _ in 0..MOST_NESTING {
            *rest = rest.trim_start();
            if let Some(tail) = rest.strip_prefix("...") {
                *rest = tail;
            } else if let Some(tail) = rest.strip_prefix('[') {
                *rest = tail.trim_start().strip_prefix(']')?;
            } else {
                break;
            }
            parsed = Self::Array(Box::new(parsed));
        }
        Some(parsed)
    }

    /// `[J`, `[Ljava.lang.String;`, as `Class.getName()` prints arrays.
    fn parse_name(rest: &mut &str, depth: usize) -> Option<Self> {
        if depth > MOST_NESTING {
            return None;
        }
        let mut chars = rest.chars();
        let first = chars.next()?;
        if first == '[' {
            *rest = chars.as_str();
            return Some(Self::Array(Box::new(Self::parse_name(
                rest,
                depth.saturating_add(1),
            )?)));
        }
        if first == 'L' {
            let (name, tail) = chars.as_str().split_once(';')?;
            *rest = tail;
            let name = name.replace('/', ".");
            return is_class_name(&name).then(|| Self::class(name));
        }
        let (keyword, _) = PRIMITIVES.iter().find(|(_, code)| *code == first)?;
        *rest = chars.as_str();
        Some(Self::Primitive(keyword))
    }

    /// Reads a JVM descriptor of parameters, `JLjava/lang/String;[I`.
    pub fn parse_descriptor(descriptor: &str) -> Option<Vec<Self>> {
        let mut rest = descriptor;
        let mut types = Vec::new();
        while !rest.is_empty() {
            if types.len() >= 255 {
                return None;
            }
            types.push(Self::parse_name(&mut rest, 0)?);
        }
        Some(types)
    }

    /// The JVM descriptor: `J`, `[Ljava/lang/String;`.
    pub fn descriptor(&self) -> String {
        match self {
            Self::Primitive(keyword) => code(keyword).to_string(),
            Self::Class { name, .. } => format!("L{};", name.replace('.', "/")),
            Self::Array(of) => format!("[{}", of.descriptor()),
        }
    }

    /// `Class.getName()`: `long`, `java.util.List`, `[J`, `[Ljava.lang.String;`.
    pub fn class_name(&self) -> String {
        match self {
            Self::Primitive(keyword) => (*keyword).to_owned(),
            Self::Class { name, .. } => name.clone(),
            Self::Array(of) => match &**of {
                Self::Primitive(keyword) => format!("[{}", code(keyword)),
                Self::Class { name, .. } => format!("[L{name};"),
                Self::Array(_) => format!("[{}", of.class_name()),
            },
        }
    }

    /// The type name of a Hessian array of this element type: `[int`, `[string`, `[com.x.Foo`
    /// (hessian-lite's `ArraySerializer`).
    pub fn hessian_array(&self) -> String {
        match self {
            Self::Primitive(keyword) => format!("[{keyword}"),
            Self::Class { name, .. } => match name.as_str() {
                "java.lang.Object" => "[object".to_owned(),
                "java.lang.String" => "[string".to_owned(),
                "java.util.Date" => "[date".to_owned(),
                other => format!("[{other}"),
            },
            Self::Array(of) => format!("[{}", of.hessian_array()),
        }
    }

    /// Whether it is a primitive, `void` not counted.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Self::Primitive(keyword) if *keyword != "void")
    }

    /// Whether it is `void` or its box.
    pub fn is_void(&self) -> bool {
        matches!(self, Self::Primitive("void"))
            || matches!(self, Self::Class { name, .. } if name == "java.lang.Void")
    }

    /// The class's name, when it is a class.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Class { name, .. } => Some(name),
            _ => None,
        }
    }

    /// A type argument; Object when it is raw.
    pub fn arg(&self, index: usize) -> Self {
        match self {
            Self::Class { args, .. } => args.get(index).cloned().unwrap_or_else(Self::object),
            _ => Self::object(),
        }
    }

    /// The type with type variables replaced by what they stand for.
    pub fn substitute(&self, variables: &[(String, Self)]) -> Self {
        match self {
            Self::Primitive(_) => self.clone(),
            Self::Array(of) => Self::Array(Box::new(of.substitute(variables))),
            Self::Class { name, args } => {
                let bound = variables.iter().find(|(variable, _)| variable == name);
                match bound {
                    Some((_, bound)) if args.is_empty() => bound.clone(),
                    _ => Self::Class {
                        name: name.clone(),
                        args: args.iter().map(|arg| arg.substitute(variables)).collect(),
                    },
                }
            }
        }
    }

    /// A type variable in it, by the custom of Java: `T`, `K`, `T1`. No class without a package is called so.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Primitive(_) => None,
            Self::Array(of) => of.variable(),
            Self::Class { name, args } => {
                let mut chars = name.chars();
                let upper = chars.next().is_some_and(|first| first.is_ascii_uppercase());
                if upper && name.len() <= 2 && chars.all(|c| c.is_ascii_digit()) && args.is_empty() {
                    return Some(name);
                }
                args.iter().find_map(Self::variable)
            }
        }
    }

    /// What the future holds, when it is one; else itself.
    pub fn unwrap_future(self) -> Self {
        match &self {
            Self::Class { name, .. }
                if matches!(
                    name.as_str(),
                    "java.util.concurrent.CompletableFuture"
                        | "java.util.concurrent.Future"
                        | "java.util.concurrent.CompletionStage"
                ) =>
            {
                self.arg(0)
            }
            _ => self,
        }
    }
}

fn code(keyword: &str) -> char {
    PRIMITIVES
        .iter()
        .find(|(known, _)| *known == keyword)
        .map_or('V', |(_, code)| *code)
}

fn is_class_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 512
        && name.split('.').all(|part| {
            let mut chars = part.chars();
            chars
                .next()
                .is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | '$'))
                && chars.all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
        })
}

impl fmt::Display for JavaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primitive(keyword) => f.write_str(keyword),
            Self::Array(of) => write!(f, "{of}[]"),
            Self::Class { name, args } => {
                f.write_str(name)?;
                for (index, arg) in args.iter().enumerate() {
                    f.write_str(if index == 0 { "<" } else { "," })?;
                    write!(f, "{arg}")?;
                }
                if args.is_empty() { Ok(()) } else { f.write_str(">") }
            }
        }
    }
}

/// A method as a binding writes it, `get(long,boolean)`: its name and parameter types. The types are `None` when there
/// are no parentheses.
pub fn parse_method(text: &str) -> Option<(String, Option<Vec<JavaType>>)> {
    let text = text.trim();
    let Some((name, rest)) = text.split_once('(') else {
        return is_method_name(text).then(|| (text.to_owned(), None));
    };
    let mut rest = rest.strip_suffix(')')?.trim();
    let name = name.trim();
    if !is_method_name(name) {
        return None;
    }
    let mut types = Vec::new();
    while !rest.is_empty() {
        types.push(JavaType::parse_one(&mut rest, 0)?);
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(tail) if !tail.trim().is_empty() => rest = tail,
            None if rest.is_empty() => break,
            _ => return None,
        }
    }
    Some((name.to_owned(), Some(types)))
}

fn is_method_name(name: &str) -> bool {
    is_class_name(name) && !name.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_print_in_every_notation() {
        for (text, descriptor, name) in [
            ("long", "J", "long"),
            ("java.lang.String", "Ljava/lang/String;", "java.lang.String"),
            ("long[]", "[J", "[J"),
            ("a.B$C[][]", "[[La/B$C;", "[[La.B$C;"),
            (
                "java.util.List<java.lang.Long>",
                "Ljava/util/List;",
                "java.util.List",
            ),
            (
                "java.util.Map<java.lang.String,java.util.List<? extends a.B>>",
                "Ljava/util/Map;",
                "java.util.Map",
            ),
            (
                "java.lang.String...",
                "[Ljava/lang/String;",
                "[Ljava.lang.String;",
            ),
            (
                "[Ljava.lang.String;",
                "[Ljava/lang/String;",
                "[Ljava.lang.String;",
            ),
            ("[[I", "[[I", "[[I"),
        ] {
            let parsed = JavaType::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(parsed.descriptor(), descriptor, "{text}");
            assert_eq!(parsed.class_name(), name, "{text}");
            assert_eq!(JavaType::parse(&parsed.to_string()), Some(parsed), "{text}");
        }
        for bad in [
            "",
            "a.",
            "long<int>",
            "List<",
            "[",
            "[L;",
            "a b",
            "1x",
            "List<a>>",
        ] {
            assert_eq!(JavaType::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn type_variables_are_replaced() {
        let variables = [("T".to_owned(), JavaType::class("a.B"))];
        let parse = |text: &str| JavaType::parse(text).unwrap();
        for (text, becomes) in [
            ("T", "a.B"),
            ("T[]", "a.B[]"),
            (
                "java.util.Map<java.lang.String,T>",
                "java.util.Map<java.lang.String,a.B>",
            ),
            ("a.T", "a.T"),
            ("long", "long"),
        ] {
            assert_eq!(parse(text).substitute(&variables), parse(becomes), "{text}");
        }
        assert_eq!(parse("java.util.List<K1>").variable(), Some("K1"));
        assert_eq!(parse("a.T").variable(), None);
    }

    #[test]
    fn methods_and_descriptors() {
        let (name, types) = parse_method("get(long, java.util.List<java.lang.Integer>)").unwrap();
        assert_eq!((name.as_str(), types.unwrap().len()), ("get", 2));
        assert_eq!(parse_method("ping()").unwrap().1, Some(vec![]));
        assert_eq!(parse_method("ping").unwrap().1, None);
        assert!(parse_method("f(long,)").is_none() && parse_method("f(").is_none());
        let types = JavaType::parse_descriptor("JLjava/lang/String;[I").unwrap();
        let back: String = types.iter().map(JavaType::descriptor).collect();
        assert_eq!(back, "JLjava/lang/String;[I");
        assert_eq!(JavaType::parse_descriptor("Ljava/lang/String"), None);
        assert_eq!(
            JavaType::parse("com.x.Foo").unwrap().hessian_array(),
            "[com.x.Foo"
        );
        assert_eq!(JavaType::parse("int[]").unwrap().hessian_array(), "[[int");
    }
}
