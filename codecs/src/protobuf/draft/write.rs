//! A draft as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::lock::{Given, Wanted};
use super::names::{enum_constant, json_name};
use super::note::Kind;
use super::{Draft, Drafter, Field, Message, OPTIONS_FILE, Role, Service, merge};

/// How many fields a note about a rule names.
const MOST_NAMED: usize = 8;

impl Drafter {
    pub(super) fn finish(mut self, proto_file: &str) -> Draft {
        let services = std::mem::take(&mut self.services);
        let mut binding = String::new();
        let mut body = String::new();
        let _ = writeln!(binding, "descriptors: [{}]", quoted(proto_file));
        self.write_choices(&mut binding);
        binding.push_str("services:\n");
        for service in &services {
            self.write_service(service, &mut body, &mut binding);
        }
        self.write_messages(&mut body, &mut binding);
        self.write_enums(&mut body, &mut binding);
        let unused_hints = self.hints.all().difference(&self.used_hints).cloned().collect();
        Draft {
            proto: self.with_head(&body),
            binding,
            lock: self.lock.write(),
            descriptor_set: Vec::new(),
            rpcs: services.iter().map(|service| service.rpcs.len()).sum(),
            notes: self.notes.into_vec(),
            unused_hints,
        }
    }

    /// What no definition says of the binding as a whole: by hints, or as comments that say what there is to choose.
    fn write_choices(&self, binding: &mut String) {
        let hints = &self.hints;
        if hints.strict {
            binding.push_str("strict: true\n");
        }
        if !hints.rules.is_empty() {
            binding.push_str("rules:\n");
            for (rule, policy) in &hints.rules {
                let _ = writeln!(binding, "  {}: {}", quoted(rule), quoted(policy.name()));
            }
        }
        if !hints.exceptions.is_empty() {
            binding.push_str("exceptions:\n");
            for (class, code) in &hints.exceptions {
                let _ = writeln!(binding, "- {{java: {}, code: {}}}", quoted(class), quoted(code));
            }
        }
        for (unsaid, comment) in [
            (
                !hints.strict,
                "# strict: true                    # what would lose something is an error",
            ),
            (
                hints.rules.is_empty(),
                "# rules: {null_map_value: drop}   # what happens where a rule applies",
            ),
            (
                hints.exceptions.is_empty(),
                "# exceptions:                     # the gRPC status of an exception\n\
                 # - {java: com.acme.OrderNotFoundException, code: NOT_FOUND}",
            ),
        ] {
            if unsaid {
                let _ = writeln!(binding, "{comment}");
            }
        }
    }

    fn with_head(&self, body: &str) -> String {
        let mut proto = "syntax = \"proto3\";\n".to_owned();
        if !self.package.is_empty() {
            let _ = writeln!(proto, "\npackage {};", self.package);
        }
        proto.push('\n');
        for (name, file) in [("Duration", "duration"), ("Timestamp", "timestamp")] {
            if body.contains(&format!("google.protobuf.{name}")) {
                let _ = writeln!(proto, "import \"google/protobuf/{file}.proto\";");
            }
        }
        let _ = writeln!(proto, "import {};\n", quoted(OPTIONS_FILE));
        if !self.package.is_empty() {
            let _ = writeln!(proto, "option java_package = \"{}\";", self.package);
        }
        proto.push_str("option java_multiple_files = true;\n");
        proto.push_str(body);
        proto
    }

    /// `(unified_idl_extend.message_extend) = { … }`.
    fn option(&self, on: &str, content: &str) -> String {
        let dot = if self.hides_google() { "." } else { "" };
        format!("({dot}unified_idl_extend.{on}_extend) = {{ {content} }}")
    }

    fn write_service(&self, service: &Service, body: &mut String, binding: &mut String) {
        let interface = format!("interface_name: {}", quoted(&service.java));
        let _ = writeln!(body, "\nservice {} {{", service.name);
        let _ = writeln!(body, "  option {};", self.option("service", &interface));
        for rpc in &service.rpcs {
            let method = format!("method_name: {}", quoted(&rpc.method));
            let _ = writeln!(body, "\n  // {} {}", rpc.returns, rpc.signature);
            let _ = writeln!(
                body,
                "  rpc {}({}) returns ({}) {{",
                rpc.name, rpc.request, rpc.response
            );
            let _ = writeln!(body, "    option {};\n  }}", self.option("method", &method));
        }
        body.push_str("}\n");
        let proto = self.full_name(&service.name);
        for key in &service.keys {
            write_binding(service, key, &proto, binding);
        }
    }

    fn write_messages(&mut self, body: &mut String, binding: &mut String) {
        let messages = std::mem::take(&mut self.messages);
        self.note_losses(&messages);
        let mut bound = String::new();
        for message in messages.values() {
            self.write_message(message, body);
            self.bind_message(message, &mut bound);
        }
        if !bound.is_empty() {
            let _ = write!(binding, "messages:\n{bound}");
        }
    }

    fn write_message(&mut self, message: &Message, body: &mut String) {
        // Requests keep the order of the parameters; classes have none that means anything.
        let mut fields: Vec<&Field> = message.fields.iter().collect();
        if matches!(message.role, Role::Class { .. }) {
            fields.sort_by(|one, other| one.name.cmp(&other.name));
        }
        let wanted: Vec<Wanted> = fields
            .iter()
            .map(|field| Wanted {
                name: field.name.clone(),
                java: field.java_name.clone(),
                proto_type: field.proto.clone(),
                java_type: field.java.clone(),
            })
            .collect();
        let by_position = message.role == Role::Request;
        let given = self
            .lock
            .number(&message.name, &wanted, by_position, &mut self.notes);
        let _ = writeln!(body, "\nmessage {} {{", message.name);
        let options = match &message.role {
            Role::Class { java, .. } => Some(format!("java_class_name: {}", quoted(java))),
            Role::Request => Some("extend_args: true".to_owned()),
            Role::Response | Role::Holder => None,
        };
        if let Some(options) = options {
            let _ = writeln!(body, "  option {};", self.option("message", &options));
        }
        write_reserved(&given, body);
        let mut lines: Vec<(u32, &Field)> = given.numbers.into_iter().zip(fields).collect();
        lines.sort_by_key(|(number, _)| *number);
        for (number, field) in lines {
            let mut options = Vec::new();
            if matches!(message.role, Role::Class { .. }) && json_name(&field.name) != field.java_name {
                options.push(format!("json_name = {}", quoted(&field.java_name)));
            }
            if field.declared {
                let java = format!("java_type: {}", quoted(&field.java));
                options.push(self.option("field", &java));
            }
            let options = if options.is_empty() {
                String::new()
            } else {
                format!(" [{}]", options.join(", "))
            };
            let _ = writeln!(body, "  {} {} = {number}{options};", field.proto, field.name);
        }
        body.push_str("}\n");
    }

    fn bind_message(&self, message: &Message, bound: &mut String) {
        let Role::Class { java, type_args } = &message.role else {
            return;
        };
        let _ = writeln!(bound, "- proto: {}", quoted(&self.full_name(&message.name)));
        let _ = writeln!(bound, "  java: {}", quoted(java));
        if !type_args.is_empty() {
            let _ = writeln!(bound, "  type_args: [{}]", list(type_args));
        }
        let mut declared: Vec<&Field> = message.fields.iter().filter(|field| field.declared).collect();
        declared.sort_by(|one, other| one.name.cmp(&other.name));
        if !declared.is_empty() {
            bound.push_str("  types:\n");
            for field in declared {
                let _ = writeln!(bound, "    {}: {}", field.name, quoted(&field.java));
            }
        }
    }

    fn write_enums(&mut self, body: &mut String, binding: &mut String) {
        let enums = std::mem::take(&mut self.enums);
        if !enums.is_empty() {
            binding.push_str("enums:\n");
        }
        for (class, drafted) in &enums {
            let name = &drafted.name;
            let wanted: Vec<Wanted> = drafted
                .constants
                .iter()
                .map(|(proto, java)| Wanted {
                    name: proto.clone(),
                    java: java.clone(),
                    proto_type: String::new(),
                    java_type: String::new(),
                })
                .collect();
            let given = self.lock.number(name, &wanted, false, &mut self.notes);
            let _ = writeln!(body, "\nenum {name} {{");
            let java = format!("java_class_name: {}", quoted(class));
            let _ = writeln!(body, "  option {};", self.option("enum", &java));
            write_reserved(&given, body);
            let _ = writeln!(body, "  {} = 0;", enum_constant(name, "UNSPECIFIED"));
            let mut lines: Vec<_> = given.numbers.into_iter().zip(&drafted.constants).collect();
            lines.sort_by_key(|(number, _)| *number);
            for (number, (constant, _)) in lines {
                let _ = writeln!(body, "  {constant} = {number};");
            }
            body.push_str("}\n");
            let _ = writeln!(binding, "- proto: {}", quoted(&self.full_name(name)));
            let _ = writeln!(binding, "  java: {}\n  values:", quoted(class));
            for (proto, java) in &drafted.constants {
                let _ = writeln!(binding, "    {proto}: {}", quoted(java));
            }
        }
    }

    /// What conversions by this draft may lose, or refuse where Java does not: one note for each rule.
    fn note_losses(&mut self, messages: &BTreeMap<String, Message>) {
        let enums: BTreeSet<&str> = self.enums.values().map(|known| known.name.as_str()).collect();
        let mut rules: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for message in messages.values() {
            for field in &message.fields {
                let mut note = |rule: &'static str| {
                    rules
                        .entry(rule)
                        .or_default()
                        .push(format!("{}.{}", message.name, field.name));
                };
                let (repeated, map) = (
                    field.proto.starts_with("repeated "),
                    field.proto.starts_with("map<"),
                );
                if (repeated || map) && message.role != Role::Holder {
                    note("null_collection: a null is an empty collection after it crossed");
                }
                if repeated {
                    note("null_element: a null element is refused, unless `rules` say otherwise");
                }
                if map {
                    note("null_map_value: a null value is refused, unless `rules` say otherwise");
                }
                let class = field.java.split('<').next().unwrap_or_default();
                match class {
                    "java.util.Set"
                    | "java.util.HashSet"
                    | "java.util.LinkedHashSet"
                    | "java.util.TreeSet"
                    | "java.util.EnumSet" => note("dup_set_element: equal elements of a Set are one"),
                    "java.util.Date" | "java.sql.Timestamp" => {
                        note("sub_ms: what is finer than a millisecond is cut off towards Java");
                    }
                    "java.util.Calendar" | "java.util.GregorianCalendar" => {
                        note("zone: the time zone is lost")
                    }
                    _ => {}
                }
                if field
                    .proto
                    .rsplit(' ')
                    .next()
                    .is_some_and(|name| enums.contains(name))
                {
                    note("unknown_enum: a constant that is not drafted becomes the unspecified one");
                }
            }
        }
        for (rule, fields) in rules {
            let more = fields.len().saturating_sub(MOST_NAMED);
            let named: Vec<&str> = fields.iter().take(MOST_NAMED).map(String::as_str).collect();
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            self.notes
                .add(Kind::Lossy, format!("{rule}: {}{more}", named.join(", ")));
        }
    }

    fn full_name(&self, name: &str) -> String {
        if self.package.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.package)
        }
    }
}

fn write_reserved(given: &Given, body: &mut String) {
    if !given.reserved_numbers.is_empty() {
        let numbers: Vec<String> = given.reserved_numbers.iter().map(ToString::to_string).collect();
        let _ = writeln!(body, "  reserved {};", numbers.join(", "));
    }
    if !given.reserved_names.is_empty() {
        let _ = writeln!(body, "  reserved {};", list(&given.reserved_names));
    }
}

fn write_binding(service: &Service, key: &merge::Key, proto: &str, binding: &mut String) {
    let (group, version) = key;
    let _ = writeln!(binding, "- java: {}", quoted(&service.java));
    for (name, value) in [("group", group), ("version", version)] {
        if !value.is_empty() {
            let _ = writeln!(binding, "  {name}: {}", quoted(value));
        }
    }
    let _ = writeln!(binding, "  proto: {}\n  methods:", quoted(proto));
    let (has, lacks): (Vec<_>, Vec<_>) = service.rpcs.iter().partition(|rpc| rpc.keys.contains(key));
    for rpc in has {
        let _ = writeln!(binding, "  - java: {}", quoted(&rpc.signature));
        let _ = writeln!(binding, "    rpc: {}", rpc.name);
        let _ = writeln!(binding, "    returns: {}", quoted(&rpc.returns));
        if !rpc.throws.is_empty() {
            let _ = writeln!(binding, "    throws: [{}]", list(&rpc.throws));
        }
    }
    if !lacks.is_empty() {
        let names: Vec<&str> = lacks.iter().map(|rpc| rpc.name.as_str()).collect();
        let _ = writeln!(binding, "  unbound: [{}]", names.join(", "));
    }
}

/// A text in double quotes: JSON's are YAML's and protobuf's, for what can be in a name.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    quoted.join(", ")
}
