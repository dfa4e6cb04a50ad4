//! Lines of typed JSON, Java's own of the value that it reads and ours of its bytes: where they are not the same text, they are
//! compared as trees, and each difference must be one that the wire or Java's printer explains.

use std::collections::{BTreeMap, HashMap};

/// JSON with its texts and numbers as they are written: both printers escape alike, and lone surrogates stay.
#[derive(Debug, PartialEq)]
pub enum Json {
    Atom(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let json = Self::value(&mut rest)?;
        rest.is_empty().then_some(json)
    }

    fn value(rest: &mut &str) -> Option<Self> {
        let pass = |rest: &mut &str, text: &str| rest.strip_prefix(text).map(|after| *rest = after).is_some();
        if pass(rest, "[") {
            let mut items = Vec::new();
            while !pass(rest, "]") {
                if !items.is_empty() && !pass(rest, ",") {
                    return None;
                }
                items.push(Self::value(rest)?);
            }
            return Some(Self::List(items));
        }
        if pass(rest, "{") {
            let mut members = Vec::new();
            while !pass(rest, "}") {
                if !members.is_empty() && !pass(rest, ",") {
                    return None;
                }
                let Self::Atom(name) = Self::value(rest)? else {
                    return None;
                };
                if !pass(rest, ":") {
                    return None;
                }
                members.push((name.trim_matches('"').to_owned(), Self::value(rest)?));
            }
            return Some(Self::Object(members));
        }
        let len = match rest.strip_prefix('"') {
            Some(inside) => {
                let mut escaped = false;
                let end = inside.bytes().position(|byte| {
                    let ends = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    ends
                })?;
                end + 2
            }
            None => rest.find([',', ']', '}', ':']).unwrap_or(rest.len()),
        };
        let (atom, after) = rest.split_at(len);
        *rest = after;
        (len > 0).then(|| Self::Atom(atom.to_owned()))
    }

    fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .rfind(|(known, _)| known == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    fn atom(&self) -> &str {
        match self {
            Self::Atom(atom) => atom.trim_matches('"'),
            _ => "",
        }
    }

    fn class(&self) -> &str {
        self.member("t").map_or("", Self::atom)
    }

    fn find_ids<'j>(&'j self, ids: &mut HashMap<&'j str, &'j Self>) {
        match self {
            Self::Atom(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.find_ids(ids)),
            Self::Object(members) => {
                if let (Some(id), Some(_)) = (self.member("id"), self.member("t")) {
                    ids.entry(id.atom()).or_insert(self);
                }
                members.iter().for_each(|(_, value)| value.find_ids(ids));
            }
        }
    }
}

const HIDDEN: &str = "class of the JDK, of which Java's printer shows no field";
const UNREADABLE: &str = "field that Java's printer cannot read";
const WIRE_FORM: &str = "wire form of what a text or a list would show in part";

/// Whether Java's line says all that it takes to write the value again.
#[derive(PartialEq)]
pub enum Shown {
    Whole,
    InPart,
}

/// Why lines differ, with how many do, and what nothing explains.
#[derive(Default)]
pub struct Differences {
    pub same_text: usize,
    pub explained: BTreeMap<&'static str, usize>,
    pub unexplained: usize,
}

impl Differences {
    /// Compares two lines; the place where they differ when nothing explains it.
    pub fn compare(&mut self, ours: &str, java: &str) -> Result<Shown, String> {
        if ours == java {
            self.same_text += 1;
            return Ok(Shown::Whole);
        }
        let parsed = (Json::parse(ours), Json::parse(java));
        let (Some(ours), Some(java)) = parsed else {
            self.unexplained += 1;
            return Err("a line is no JSON".to_owned());
        };
        let mut walk = Walk::default();
        ours.find_ids(&mut walk.our_ids);
        java.find_ids(&mut walk.java_ids);
        match walk.same(&ours, &java, false) {
            Ok(()) => {
                for why in &walk.why {
                    *self.explained.entry(why).or_default() += 1;
                }
                let hides = walk.why.contains(HIDDEN) || walk.why.contains(UNREADABLE);
                Ok(if hides { Shown::InPart } else { Shown::Whole })
            }
            Err(place) => {
                self.unexplained += 1;
                Err(place)
            }
        }
    }
}

#[derive(Default)]
struct Walk<'j> {
    our_ids: HashMap<&'j str, &'j Json>,
    java_ids: HashMap<&'j str, &'j Json>,
    /// Which of ours is which of Java's: the same list is met in another order where fields stand in another one.
    ours: HashMap<*const Json, *const Json>,
    java: HashMap<*const Json, *const Json>,
    why: std::collections::BTreeSet<&'static str>,
}

impl<'j> Walk<'j> {
    fn same(&mut self, ours: &'j Json, java: &'j Json, is_field: bool) -> Result<(), String> {
        let resolve = |ids: &HashMap<&'j str, &'j Json>, json: &'j Json| match json.member("ref") {
            Some(id) => ids
                .get(id.atom())
                .copied()
                .ok_or_else(|| format!("{json:?} of nothing")),
            None => Ok(json),
        };
        let (o, j) = (resolve(&self.our_ids, ours)?, resolve(&self.java_ids, java)?);
        if o == &Json::Atom("null".into()) || j == &Json::Atom("null".into()) {
            return if o == j { Ok(()) } else { Err(differ(o, j)) };
        }
        let (Some(ov), Some(jv)) = (o.member("v"), j.member("v")) else {
            return Err(differ(o, j));
        };
        if matches!(jv, Json::Atom(_)) {
            if ours.member("ref").is_some() {
                self.why
                    .insert("enum, decimal or time met again, which Java shows again");
            }
            return self.same_leaf(o, j, ov, jv, is_field);
        }
        // Shared and cyclic containers are the same on both sides.
        match (self.ours.insert(o, j), self.java.insert(j, o)) {
            (None, None) => {}
            (Some(known_j), Some(known_o)) if std::ptr::eq(known_j, j) && std::ptr::eq(known_o, o) => {
                return Ok(());
            }
            _ => return Err(format!("shared otherwise: {}", differ(o, j))),
        }
        if o.member("w").is_some() {
            self.why.insert("w: the wire has a type that t does not tell");
        }
        if is_wire_form(o.class()) {
            self.why.insert(WIRE_FORM);
            return Ok(());
        }
        self.same_class(o, j)?;
        match (ov, jv) {
            (Json::List(ours), Json::List(java)) => self.same_items(j.class(), ours, java),
            (Json::Object(ours), Json::Object(java)) => self.same_fields(j.class(), ours, java),
            _ => Err(differ(o, j)),
        }
    }

    fn same_leaf(
        &mut self,
        o: &Json,
        j: &Json,
        ov: &'j Json,
        jv: &'j Json,
        is_field: bool,
    ) -> Result<(), String> {
        let (our_class, class) = (o.class(), j.class());
        if class == "java.lang.StackTraceElement" {
            self.why
                .insert("StackTraceElement: Java's text leaves out what is on the wire");
            return Ok(());
        }
        if matches!(ov, Json::Object(_)) && (is_wire_form(our_class) || our_class == class) {
            self.why.insert(WIRE_FORM);
            return Ok(());
        }
        if our_class != class {
            let declared = match class {
                "java.lang.Byte" | "java.lang.Short" => our_class == "java.lang.Integer",
                "java.lang.Character" => our_class == "java.lang.String",
                "java.lang.Float" => our_class == "java.lang.Double",
                _ => false,
            };
            if !(declared && is_field) {
                return Err(differ(o, j));
            }
            self.why
                .insert("field declared byte, short, char or float, which only the class tells");
        }
        if ov == jv {
            return Ok(());
        }
        // The enclosing `Option` of a number that is none is not equal to itself here.
        let number = |json: &Json| json.atom().parse::<f64>().ok();
        let same = match (our_class, number(ov), number(jv)) {
            ("java.lang.Double", Some(ours), Some(java)) => {
                ours.to_bits() == java.to_bits() || class == "java.lang.Float" && ours as f32 == java as f32
            }
            _ => false,
        };
        if !same {
            return Err(differ(o, j));
        }
        self.why
            .insert("digits of the same double as a JDK before 19 shows them");
        Ok(())
    }

    /// The class on the wire, or the one that Java's reader takes in its place.
    fn same_class(&mut self, o: &Json, j: &Json) -> Result<(), String> {
        let (ours, java) = (o.class(), j.class());
        if ours == java {
            return Ok(());
        }
        let replaced = match java {
            "java.util.ArrayList" | "java.util.HashMap" | "java.util.HashSet" => true,
            _ => ours.starts_with("java.") && java.starts_with("java."),
        };
        self.why.insert("class that Java's reader makes another of");
        if replaced { Ok(()) } else { Err(differ(o, j)) }
    }

    fn same_items(&mut self, class: &str, ours: &'j [Json], java: &'j [Json]) -> Result<(), String> {
        let (mut ours, mut java): (Vec<_>, Vec<_>) = (ours.iter().collect(), java.iter().collect());
        if ours.len() != java.len() {
            return Err(format!("{} items, {} of Java", ours.len(), java.len()));
        }
        if matches!(class, "java.util.HashMap" | "java.util.HashSet") {
            let before: Vec<String> = [&ours, &java]
                .iter()
                .flat_map(|side| side.iter().map(|item| key(item)))
                .collect();
            ours.sort_by_key(|item| key(item));
            java.sort_by_key(|item| key(item));
            if before[..ours.len()] != before[ours.len()..] {
                self.why
                    .insert("order of a hash container, which Java makes anew");
            }
        }
        for (ours, java) in ours.into_iter().zip(java) {
            match (ours, java) {
                (Json::List(ours), Json::List(java)) if ours.len() == 2 && java.len() == 2 => {
                    self.same(&ours[0], &java[0], false)?;
                    self.same(&ours[1], &java[1], false)?;
                }
                (ours, java) => self.same(ours, java, false)?,
            }
        }
        Ok(())
    }

    fn same_fields(&mut self, class: &str, ours: &'j Fields, java: &'j Fields) -> Result<(), String> {
        let names = |fields: &'j Fields| fields.iter().map(|(name, _)| name.as_str());
        if java.is_empty() && !ours.is_empty() && class.starts_with("java.") {
            self.why.insert(HIDDEN);
            return Ok(());
        }
        if java
            .iter()
            .any(|(_, value)| value.member("v").is_some_and(|v| v.atom() == "unreadable"))
        {
            self.why.insert(UNREADABLE);
            return Ok(());
        }
        let ours_by_name: HashMap<_, _> = ours.iter().map(|(name, value)| (name.as_str(), value)).collect();
        if names(java).eq(["message", "cause", "suppressed", "frames"]
            .into_iter()
            .chain(names(java).skip(4)))
        {
            self.why
                .insert("Throwable: Java's printer counts frames and suppressed ones");
            return self.same_throwable(&ours_by_name, java);
        }
        if !names(ours).eq(names(java)) {
            self.why.insert("order of fields, by the wire and by the class");
        }
        let java_by_name: HashMap<_, _> = java.iter().map(|(name, value)| (name.as_str(), value)).collect();
        if ours_by_name.len() != java_by_name.len() {
            return Err(format!(
                "fields of {class}: {:?} and {:?}",
                ours_by_name.keys(),
                java_by_name.keys()
            ));
        }
        for (name, java) in java_by_name {
            let ours = ours_by_name
                .get(name)
                .ok_or_else(|| format!("{class} has no {name}"))?;
            self.same(ours, java, true)?;
        }
        Ok(())
    }

    fn same_throwable(&mut self, ours: &HashMap<&'j str, &'j Json>, java: &'j Fields) -> Result<(), String> {
        let field = |name: &str| {
            ours.get(name)
                .copied()
                .ok_or_else(|| format!("no {name} in a Throwable"))
        };
        self.same(field("detailMessage")?, &java[0].1, true)?;
        let null = Json::Atom("null".into());
        let cause = field("cause")?;
        // Of one without a cause, the wire says that it is its own.
        if java[1].1 != null || cause == &null {
            self.same(cause, &java[1].1, false)?;
        } else if cause.member("ref").is_none() {
            return Err("a cause that Java does not have".to_owned());
        }
        for (name, counted) in [("suppressedExceptions", &java[2].1), ("stackTrace", &java[3].1)] {
            let list = match field(name)?.member("ref") {
                Some(id) => self.our_ids.get(id.atom()).copied().ok_or("a ref of nothing")?,
                None => field(name)?,
            };
            let len = match list.member("v") {
                Some(Json::List(items)) => items.len(),
                _ => 0,
            };
            if counted.member("v").map(Json::atom) != Some(&len.to_string()) {
                return Err(format!("{len} {name}, {counted:?} of Java"));
            }
        }
        for (name, java) in &java[4..] {
            self.same(field(name)?, java, true)?;
        }
        Ok(())
    }
}

type Fields = [(String, Json)];

/// The objects that travel for a JDK class, shown as they are where its text or list would lose something.
fn is_wire_form(class: &str) -> bool {
    class.starts_with("com.alibaba.com.caucho.hessian.io.")
}

/// What a hash container's entries are put in order by.
fn key(item: &Json) -> String {
    let item = match item {
        Json::List(entry) => &entry[0],
        item => item,
    };
    match (item.member("t"), item.member("v")) {
        (Some(class), Some(Json::Atom(value))) => format!("{} {value}", class.atom()),
        _ => String::new(),
    }
}

fn differ(ours: &Json, java: &Json) -> String {
    let cut = |json: &Json| format!("{json:?}").chars().take(300).collect::<String>();
    format!("ours {}, Java {}", cut(ours), cut(java))
}
