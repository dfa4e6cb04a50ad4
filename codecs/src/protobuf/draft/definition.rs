//! A service definition as Dubbo's metadata report writes it, with its known defects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::protobuf::java::{JavaType, parse_method};

/// How deep definitions may nest, and references may lead.
const MOST_DEPTH: u32 = 32;

/// What a class looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// Its constants, as `toString()` gives them.
    Enum(Vec<String>),
    /// Its fields with their types, by name: the order of the JSON means nothing.
    Object(BTreeMap<String, String>),
}

impl Shape {
    /// Whether nothing is said: a class of the JDK, or one described elsewhere.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Object(fields) if fields.is_empty())
    }
}

/// A method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Method {
    pub(super) name: String,
    pub(super) parameters: Vec<JavaType>,
    pub(super) returns: JavaType,
}

impl Method {
    /// `get(long,java.lang.String)`, as bindings and hints name it.
    pub(super) fn signature(&self) -> String {
        let types: Vec<String> = self.parameters.iter().map(ToString::to_string).collect();
        format!("{}({})", self.name, types.join(","))
    }

    /// The parameters as one JVM descriptor.
    pub(super) fn descriptor(&self) -> String {
        self.parameters.iter().map(JavaType::descriptor).collect()
    }
}

/// One service definition.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    /// Who says so: the application, or the file where it names none.
    pub(super) origin: String,
    /// The interface.
    pub(super) interface: String,
    /// Its group; empty when there is none.
    pub(super) group: String,
    /// Its version; empty when there is none.
    pub(super) version: String,
    /// Sorted, each once.
    pub(super) methods: Vec<Method>,
    /// Methods that cannot be read, with the reason.
    pub(super) unreadable: Vec<String>,
    pub(super) types: BTreeMap<String, Shape>,
    pub(super) guesses: BTreeSet<String>,
    /// Names of `names` that were needed.
    pub(super) used_names: BTreeSet<String>,
    /// How it is known that the service speaks protobuf already.
    pub(super) protobuf: Option<String>,
}

impl Definition {
    /// Reads a definition. `names`: binary class names by canonical name, where the guess would be wrong.
    pub(super) fn parse(origin: &str, text: &str, names: &BTreeMap<String, String>) -> Result<Self, String> {
        let root: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut parser = Parser {
            root: &root,
            names,
            types: BTreeMap::new(),
            guesses: BTreeSet::new(),
            used_names: BTreeSet::new(),
            protobuf: None,
        };
        let canonical = root
            .get("canonicalName")
            .and_then(Json::as_str)
            .ok_or("is no service definition: it has no canonicalName")?;
        let parameter = |name: &str| {
            let found = root.get("parameters").and_then(|parameters| parameters.get(name));
            found.and_then(Json::as_str).unwrap_or_default()
        };
        // The URL's parameter has the binary name of a nested interface.
        let interface = match parameter("interface") {
            binary if binary.replace('$', ".") == canonical => binary.to_owned(),
            _ => parser.binary_name(canonical.to_owned()),
        };
        if !matches!(JavaType::parse(&interface), Some(JavaType::Class { args, .. }) if args.is_empty()) {
            return Err(format!("canonicalName {interface:?} is no class name"));
        }
        if parameter("proxy") == "nativestub" {
            parser.protobuf = Some("its proxy is nativestub".to_owned());
        }
        let serialization = parameter("serialization");
        if serialization.starts_with("protobuf") {
            parser.protobuf = Some(format!("its serialization is {serialization}"));
        }
        let (mut methods, mut unreadable) = (Vec::new(), Vec::new());
        for method in items(&root, "methods") {
            let method = parser.follow(method).ok_or("has a reference to nothing")?;
            match parser.method(method) {
                Ok(method) => methods.push(method),
                Err((name, reason)) => unreadable.push(format!("{interface}.{name}: {reason}")),
            }
        }
        methods.sort_by_key(|method| {
            (
                method.name.clone(),
                method.parameters.len(),
                method.descriptor(),
                method.signature(),
            )
        });
        // Two methods that differ in type arguments only are one in Java; a bridge method differs in its result.
        methods.dedup_by(|one, other| one.name == other.name && one.descriptor() == other.descriptor());
        for described in items(&root, "types") {
            parser.describe(described, 0)?;
        }
        let application = parameter("application");
        Ok(Self {
            origin: if application.is_empty() {
                origin
            } else {
                application
            }
            .to_owned(),
            interface,
            group: parameter("group").to_owned(),
            version: parameter("version").to_owned(),
            methods,
            unreadable,
            types: parser.types,
            guesses: parser.guesses,
            used_names: parser.used_names,
            protobuf: parser.protobuf,
        })
    }

    /// The interface's package.
    pub(super) fn package(&self) -> &str {
        self.interface.rsplit_once('.').map_or("", |(package, _)| package)
    }
}

fn items<'j>(json: &'j Json, key: &str) -> impl Iterator<Item = &'j Json> {
    json.get(key).and_then(Json::as_array).into_iter().flatten()
}

struct Parser<'j> {
    root: &'j Json,
    names: &'j BTreeMap<String, String>,
    types: BTreeMap<String, Shape>,
    guesses: BTreeSet<String>,
    used_names: BTreeSet<String>,
    protobuf: Option<String>,
}

impl<'j> Parser<'j> {
    /// A method; its name and the reason when it cannot be read: dubbo-go writes types of Go.
    fn method(&mut self, json: &Json) -> Result<Method, (String, String)> {
        let name = json
            .get("name")
            .and_then(Json::as_str)
            .ok_or_else(|| ("?".to_owned(), "has no name".to_owned()))?;
        let failed = |reason: String| (name.to_owned(), reason);
        // What follows writes signatures with it and reads them back.
        if parse_method(&format!("{name}()")).is_none_or(|(read, _)| read != name) {
            return Err(failed("is no name of a Java method".to_owned()));
        }
        let mut parameters = Vec::new();
        for parameter in items(json, "parameterTypes") {
            let text = parameter
                .as_str()
                .ok_or_else(|| failed("a parameter type is no text".to_owned()))?;
            parameters.push(self.java(text).map_err(failed)?);
        }
        let returns = json.get("returnType").and_then(Json::as_str).unwrap_or("void");
        Ok(Method {
            name: name.to_owned(),
            parameters,
            returns: self.java(returns).map_err(failed)?,
        })
    }

    /// What a `{"$ref": "$.types[5].properties.age"}` stands for: Dubbo 2.7 writes repeated objects so.
    fn follow(&self, json: &'j Json) -> Option<&'j Json> {
        let mut json = json;
        for _ in 0..MOST_DEPTH {
            let path = match json.get("$ref").and_then(Json::as_str) {
                Some(path) if json.get("type").is_none() => path,
                _ => return Some(json),
            };
            let mut found = self.root;
            for step in path.strip_prefix('$')?.split('.').filter(|step| !step.is_empty()) {
                let (name, indexes) = step.split_once('[').unwrap_or((step, ""));
                if !name.is_empty() {
                    found = found.get(name)?;
                }
                for index in indexes.split('[').filter(|index| !index.is_empty()) {
                    let index: usize = index.strip_suffix(']')?.parse().ok()?;
                    found = found.get(index)?;
                }
            }
            json = found;
        }
        None
    }

    /// Notes a described type, and those described inside of it; gives its name.
    fn describe(&mut self, json: &'j Json, depth: u32) -> Result<String, String> {
        if depth > MOST_DEPTH {
            return Err("nests too deep".to_owned());
        }
        // Dubbo 3 names the type of a property; Dubbo 2.7 describes it on the spot.
        if let Some(text) = json.as_str() {
            // What is no Java type is told where a method needs it.
            return Ok(self
                .java(text)
                .map_or_else(|_| text.to_owned(), |java| java.to_string()));
        }
        let json = self.follow(json).ok_or("has a reference to nothing")?;
        let text = json
            .get("type")
            .and_then(Json::as_str)
            .ok_or("has a type without name")?;
        let builder = json.get("typeBuilderName").and_then(Json::as_str);
        if builder.is_some_and(|builder| builder.ends_with(".ProtobufTypeBuilder")) {
            self.protobuf = Some(format!("{text} is a protobuf message"));
        }
        let Ok(java) = self.java(text) else {
            return Ok(text.to_owned());
        };
        let Some(class) = java.name() else {
            return Ok(java.to_string());
        };
        let class = class.to_owned();
        // A JDK class is known by its name; its fields are its own business.
        let hidden = class.starts_with("java.") || class.starts_with("javax.");
        let known = self.types.get(&class).is_some_and(|shape| !shape.is_plain());
        if known || hidden {
            return Ok(java.to_string());
        }
        let constants: Vec<String> = items(json, "enums")
            .filter_map(|constant| constant.as_str().map(str::to_owned))
            .collect();
        if !constants.is_empty() {
            self.types.insert(class, Shape::Enum(constants));
            return Ok(java.to_string());
        }
        self.types.insert(class.clone(), Shape::Object(BTreeMap::new()));
        let mut fields = BTreeMap::new();
        let properties = json.get("properties").and_then(Json::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let ignored =
                name.starts_with("this$") || matches!(name.as_str(), "$jacocoData" | "serialVersionUID");
            if !ignored {
                fields.insert(name.clone(), self.describe(property, depth.saturating_add(1))?);
            }
        }
        self.types.insert(class, Shape::Object(fields));
        Ok(java.to_string())
    }

    /// A type as the definition writes it, with binary names of nested classes.
    fn java(&mut self, text: &str) -> Result<JavaType, String> {
        if text.starts_with("com.google.protobuf.") {
            self.protobuf = Some(format!("it has type {text}"));
        }
        let java = JavaType::parse(text).ok_or_else(|| format!("{text:?} is no Java type"))?;
        Ok(self.binary(java))
    }

    fn binary(&mut self, java: JavaType) -> JavaType {
        match java {
            JavaType::Primitive(_) => java,
            JavaType::Array(of) => JavaType::Array(Box::new(self.binary(*of))),
            JavaType::Class { name, args } => JavaType::Class {
                name: self.binary_name(name),
                args: args.into_iter().map(|arg| self.binary(arg)).collect(),
            },
        }
    }

    /// `a.b.Outer.Inner` is `a.b.Outer$Inner` on the wire.
    fn binary_name(&mut self, name: String) -> String {
        if let Some(given) = self.names.get(&name) {
            self.used_names.insert(name);
            return given.clone();
        }
        let upper = |part: &str| part.starts_with(|c: char| c.is_uppercase());
        let parts: Vec<&str> = name.split('.').collect();
        let Some(first) = parts.iter().position(|part| upper(part)) else {
            return name;
        };
        let (package, classes) = parts.split_at_checked(first).unwrap_or((&parts, &[]));
        if classes.len() < 2 || !classes.iter().all(|part| upper(part)) {
            return name;
        }
        let dot = if package.is_empty() { "" } else { "." };
        let binary = format!("{}{dot}{}", package.join("."), classes.join("$"));
        // Classes of the JDK are never bound by name.
        if !name.starts_with("java.") {
            self.guesses.insert(format!("{name} is taken for {binary}"));
        }
        binary
    }
}
