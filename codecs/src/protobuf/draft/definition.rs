//! A service definition as Dubbo's metadata report writes it (mapping section 11.3), with its known defects.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::protobuf::java::{JavaType, parse_method};

/// How deep definitions may nest, and references may lead.
const MOST_DEPTH: u32 = 32;

/// The types of one class.
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

/// One service definition.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The interface.
    pub interface: String,
    /// Its group; empty when there is none.
    pub group: String,
    /// Its version; empty when there is none.
    pub version: String,
    /// Name, parameters, result; sorted, each once.
    pub(super) methods: Vec<(String, Vec<JavaType>, JavaType)>,
    pub(super) types: BTreeMap<String, Shape>,
    pub(super) guesses: Vec<String>,
}

impl Definition {
    /// Reads a definition. `names`: binary class names by canonical name, where the guess would be wrong.
    pub(super) fn parse(text: &str, names: &BTreeMap<String, String>) -> Result<Self, String> {
        let root: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut parser = Parser {
            root: &root,
            names,
            types: BTreeMap::new(),
            guesses: Vec::new(),
        };
        let interface = root
            .get("canonicalName")
            .and_then(Json::as_str)
            .ok_or("has no canonicalName")?
            .to_owned();
        let parameter = |name: &str| {
            let found = root.get("parameters").and_then(|parameters| parameters.get(name));
            found.and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        let mut methods = Vec::new();
        for method in root.get("methods").and_then(Json::as_array).into_iter().flatten() {
            let method = parser.follow(method).ok_or("has a reference to nothing")?;
            let name = method
                .get("name")
                .and_then(Json::as_str)
                .ok_or("has a method without name")?;
            // What follows writes signatures with it and reads them back.
            if !parse_method(&format!("{name}()")).is_some_and(|(read, _)| read == name) {
                return Err(format!("has a method {name:?}: no Java name"));
            }
            let mut parameters = Vec::new();
            for parameter in method
                .get("parameterTypes")
                .and_then(Json::as_array)
                .into_iter()
                .flatten()
            {
                let text = parameter.as_str().ok_or("has a parameter type that is no text")?;
                parameters.push(parser.java(text)?);
            }
            let returns = method.get("returnType").and_then(Json::as_str).unwrap_or("void");
            methods.push((name.to_owned(), parameters, parser.java(returns)?));
        }
        let descriptor = |types: &[JavaType]| types.iter().map(JavaType::descriptor).collect::<String>();
        methods.sort_by_key(|(name, types, _)| (name.clone(), types.len(), descriptor(types)));
        methods.dedup_by(|one, other| one.0 == other.0 && one.1 == other.1);
        for described in root.get("types").and_then(Json::as_array).into_iter().flatten() {
            parser.describe(described, 0)?;
        }
        Ok(Self {
            interface,
            group: parameter("group"),
            version: parameter("version"),
            methods,
            types: parser.types,
            guesses: parser.guesses,
        })
    }
}

struct Parser<'j> {
    root: &'j Json,
    names: &'j BTreeMap<String, String>,
    types: BTreeMap<String, Shape>,
    guesses: Vec<String>,
}

impl<'j> Parser<'j> {
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

    /// Notes a described type, and those described inside of it.
    fn describe(&mut self, json: &'j Json, depth: u32) -> Result<String, String> {
        if depth > MOST_DEPTH {
            return Err("nests too deep".to_owned());
        }
        // Dubbo 3 names the type of a property; Dubbo 2.7 describes it on the spot.
        if let Some(text) = json.as_str() {
            return Ok(self.java(text)?.to_string());
        }
        let json = self.follow(json).ok_or("has a reference to nothing")?;
        let text = json
            .get("type")
            .and_then(Json::as_str)
            .ok_or("has a type without name")?;
        let java = self.java(text)?;
        let Some(class) = java.name().filter(|_| !matches!(java, JavaType::Array(_))) else {
            return Ok(java.to_string());
        };
        let class = class.to_owned();
        let constants: Vec<String> = json
            .get("enums")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(|constant| constant.as_str().map(str::to_owned))
            .collect();
        // A JDK class is known by its name; its fields are its own business.
        let hidden = class.starts_with("java.") || class.starts_with("javax.");
        let known = self.types.get(&class).is_some_and(|shape| !shape.is_plain());
        if known || hidden {
            return Ok(java.to_string());
        }
        if !constants.is_empty() {
            self.types.insert(class, Shape::Enum(constants));
            return Ok(java.to_string());
        }
        self.types.insert(class.clone(), Shape::Object(BTreeMap::new()));
        let mut fields = BTreeMap::new();
        for (name, property) in json
            .get("properties")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
        {
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
        let java = JavaType::parse(text).ok_or_else(|| format!("has type {text:?}"))?;
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
        let guess = format!("{name} is taken for {binary}");
        if !self.guesses.contains(&guess) {
            self.guesses.push(guess);
        }
        binary
    }
}
