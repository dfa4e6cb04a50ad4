//! Interfaces and their methods as services and rpcs.

use std::collections::BTreeSet;

use super::definition::Method;
use super::hints::MethodHint;
use super::lock::LockedRpc;
use super::merge::{Interface, Offered};
use super::names::{alike, by_parameters, field_name, is_identifier, rpc_name, simple_name};
use super::note::Kind;
use super::{Drafter, Field, Message, Role, Rpc, Service};
use crate::protobuf::java::JavaType;

/// A method with what hints say of it.
struct Hinted<'m> {
    offered: &'m Offered,
    signature: String,
    /// `interface.signature`, for notes.
    whole: String,
    hint: MethodHint,
    types: Vec<JavaType>,
    returns: JavaType,
}

impl Drafter {
    pub(super) fn services(&mut self, interfaces: &[Interface]) {
        let alone = interfaces.len() == 1;
        for interface in interfaces {
            self.service_name(interface);
            self.settle(true);
        }
        for interface in interfaces {
            self.keep_names(interface, alone);
        }
        let given: BTreeSet<&str> = interfaces
            .iter()
            .map(|interface| interface.name.as_str())
            .collect();
        for interface in self.lock.interfaces_but(&given) {
            let line =
                format!("service of {interface} is gone: there is no definition of it; its names are kept");
            self.notes.add(Kind::Breaking, line);
        }
        for interface in interfaces {
            let rpcs = self.rpcs(interface, alone);
            let name = self.service_name(interface);
            self.services.push(Service {
                java: interface.name.clone(),
                name,
                keys: interface.keys.clone(),
                rpcs,
            });
        }
    }

    /// The service's name: the interface's own, as far as it has it alone.
    fn service_name(&mut self, interface: &Interface) -> String {
        let key = format!("service {}", interface.name);
        if let Some(name) = self.named.get(&key) {
            return name.clone();
        }
        let simple = simple_name(&interface.name);
        let package = interface
            .name
            .rsplit('.')
            .nth(1)
            .map(rpc_name)
            .unwrap_or_default();
        self.name_for(&key, &[simple.clone(), format!("{package}{simple}")])
    }

    /// No class gets a name that a request or a response may need.
    fn keep_names(&mut self, interface: &Interface, alone: bool) {
        let prefix = self.prefix(interface, alone);
        let mut rpcs = BTreeSet::new();
        for offered in &interface.methods {
            let plain = rpc_name(&offered.method.name);
            rpcs.insert(by_parameters(&plain, &offered.method.parameters));
            rpcs.insert(plain);
            if let Some(rpc) = self
                .hint(interface, &offered.method.signature())
                .and_then(|hint| hint.rpc)
            {
                rpcs.insert(rpc);
            }
        }
        for rpc in rpcs {
            self.kept.insert(format!("{prefix}{rpc}Request"));
            self.kept.insert(format!("{prefix}{rpc}Response"));
        }
    }

    fn prefix(&mut self, interface: &Interface, alone: bool) -> String {
        if self.lock.prefixed(&interface.name, alone) {
            self.service_name(interface)
        } else {
            String::new()
        }
    }

    fn hint(&self, interface: &Interface, signature: &str) -> Option<MethodHint> {
        let whole = format!("{}.{signature}", interface.name);
        let methods = &self.hints.methods;
        methods.get(&whole).or_else(|| methods.get(signature)).cloned()
    }

    fn rpcs(&mut self, interface: &Interface, alone: bool) -> Vec<Rpc> {
        let prefix = self.prefix(interface, alone);
        let mut hinted = Vec::new();
        for offered in &interface.methods {
            match self.hinted(interface, offered) {
                Ok(method) => hinted.push(method),
                Err(note) => self.notes.add(Kind::LeftOut, note),
            }
        }
        let mut rpcs: Vec<Rpc> = Vec::new();
        for method in &hinted {
            let name = self.name_rpc(interface, method, &rpcs);
            let drafted = self.rpc(interface, method, &name, &prefix, &rpcs);
            self.settle(drafted.is_ok());
            match drafted {
                Ok(rpc) => rpcs.push(rpc),
                Err(reason) => self
                    .notes
                    .add(Kind::LeftOut, format!("{}: {reason}", method.whole)),
            }
        }
        let gone: Vec<String> = self
            .lock
            .rpcs(&interface.name)
            .filter(|(_, locked)| !rpcs.iter().any(|rpc| rpc.name == locked.rpc))
            .map(|(signature, locked)| {
                format!(
                    "rpc {} of {} is gone, with {signature}: its name is kept",
                    locked.rpc, interface.name
                )
            })
            .collect();
        for line in gone {
            self.notes.add(Kind::Breaking, line);
        }
        rpcs.sort_by(|one, other| one.name.cmp(&other.name));
        rpcs
    }

    /// A method with its hint, or why it is left out.
    fn hinted<'m>(&mut self, interface: &Interface, offered: &'m Offered) -> Result<Hinted<'m>, String> {
        let Method {
            parameters, returns, ..
        } = &offered.method;
        let signature = offered.method.signature();
        let whole = format!("{}.{signature}", interface.name);
        for key in [&whole, &signature] {
            if self.hints.methods.contains_key(key) {
                self.used_hints.insert(format!("methods: {key}"));
            }
        }
        let hint = self.hint(interface, &signature).unwrap_or_default();
        if hint.skip {
            return Err(format!("{whole}: by a hint"));
        }
        let java = |text: &String| {
            JavaType::parse(text).ok_or_else(|| format!("{whole}: the hint's {text:?} is no Java type"))
        };
        let types = match &hint.types {
            Some(types) => {
                let types: Vec<JavaType> = types.iter().map(java).collect::<Result<_, _>>()?;
                let descriptor: String = types.iter().map(JavaType::descriptor).collect();
                if descriptor != offered.method.descriptor() {
                    return Err(format!(
                        "{whole}: the hint's types are not these with type arguments"
                    ));
                }
                types
            }
            None => parameters.clone(),
        };
        let hinted = hint.returns.as_ref().map(java).transpose()?;
        let returns = hinted.unwrap_or_else(|| returns.clone());
        let held = returns.clone().unwrap_future();
        if held == JavaType::object() && held != returns {
            return Err(format!(
                "{whole}: the definition hides what {returns} holds: hint `returns`"
            ));
        }
        Ok(Hinted {
            offered,
            signature,
            whole,
            hint,
            types,
            returns: held,
        })
    }

    /// The rpc's name: the hint's, the lock's, the method's own, or one with its parameters.
    fn name_rpc(&self, interface: &Interface, method: &Hinted<'_>, rpcs: &[Rpc]) -> String {
        if let Some(rpc) = &method.hint.rpc {
            return rpc.clone();
        }
        if let Some(locked) = self.lock.rpc(&interface.name, &method.signature) {
            return locked.rpc.clone();
        }
        // The first of an overload keeps the plain name, for good.
        let taken = |name: &str| {
            rpcs.iter().any(|rpc| rpc.name == name)
                || self
                    .lock
                    .rpcs(&interface.name)
                    .any(|(signature, locked)| locked.rpc == name && *signature != method.signature)
        };
        let plain = rpc_name(&method.offered.method.name);
        if !taken(&plain) {
            return plain;
        }
        let long = by_parameters(&plain, &method.offered.method.parameters);
        if !taken(&long) {
            return long;
        }
        let mut crc = flate2::Crc::new();
        crc.update(method.offered.method.descriptor().as_bytes());
        format!("{long}_{:08x}", crc.sum())
    }

    /// The request and response of a method.
    fn rpc(
        &mut self,
        interface: &Interface,
        method: &Hinted<'_>,
        name: &str,
        prefix: &str,
        rpcs: &[Rpc],
    ) -> Result<Rpc, String> {
        let (hint, returns) = (&method.hint, &method.returns);
        if !is_identifier(name) {
            return Err(format!("{name:?} is no name of an rpc"));
        }
        if rpcs.iter().any(|rpc| rpc.name == name) {
            return Err(format!("rpc {name} is taken: hint `rpc`"));
        }
        let arguments: Vec<String> = match &hint.args {
            Some(names) if names.len() != method.types.len() => {
                return Err(format!(
                    "the hint names {} of {} parameters",
                    names.len(),
                    method.types.len()
                ));
            }
            Some(names) => names.iter().map(|name| field_name(name)).collect(),
            None => (0..method.types.len()).map(|at| format!("arg{at}")).collect(),
        };
        let distinct: BTreeSet<String> = arguments.iter().map(|name| alike(name)).collect();
        if distinct.len() != arguments.len() {
            return Err("the hint names two parameters alike".to_owned());
        }
        for class in &hint.throws {
            if JavaType::parse(class).is_none_or(|java| java.name().is_none()) {
                return Err(format!("the hint's {class:?} is no class name"));
            }
        }
        let locked = self.lock.rpc(&interface.name, &method.signature);
        let request = match locked.filter(|locked| locked.rpc == name) {
            Some(locked) => locked.request.clone(),
            None => self.free_name(&format!("{prefix}{name}"), "Request"),
        };
        let mut fields = Vec::new();
        for (position, (name, java)) in arguments.iter().zip(&method.types).enumerate() {
            fields.push(self.field(name, &format!("arg{position}"), java)?);
        }
        self.add_message(&request, Role::Request, fields)?;
        let locked = self.lock.rpc(&interface.name, &method.signature);
        let response = if hint.whole {
            self.whole(returns)?
        } else {
            let response = match locked.filter(|locked| locked.rpc == name) {
                Some(locked) if !self.lock.is_name(&locked.response) => locked.response.clone(),
                _ => self.free_name(&format!("{prefix}{name}"), "Response"),
            };
            let fields: Vec<Field> = if returns.is_void() {
                Vec::new()
            } else {
                vec![self.field("result", "result", returns)?]
            };
            self.add_message(&response, Role::Response, fields)?;
            response
        };
        self.describe_pending()?;
        if let Some(locked) = self.lock.rpc(&interface.name, &method.signature)
            && locked.rpc != name
        {
            let line = format!("rpc {} of {} is now called {name}", locked.rpc, interface.name);
            self.notes.add(Kind::Breaking, line);
        }
        self.lock.set_rpc(
            &interface.name,
            &method.signature,
            LockedRpc {
                rpc: name.to_owned(),
                request: request.clone(),
                response: response.clone(),
            },
        );
        let types: Vec<String> = method.types.iter().map(ToString::to_string).collect();
        let java = &method.offered.method.name;
        Ok(Rpc {
            name: name.to_owned(),
            method: java.clone(),
            signature: format!("{java}({})", types.join(",")),
            returns: if returns.is_void() {
                "void".to_owned()
            } else {
                returns.to_string()
            },
            request,
            response,
            throws: hint.throws.clone(),
            keys: method.offered.keys.clone(),
        })
    }

    /// The message of a class as a reply.
    fn whole(&mut self, returns: &JavaType) -> Result<String, String> {
        let (name, _) = self.class(returns)?;
        if self.enums.values().any(|known| known.name == name) {
            return Err(format!("{returns} is an enum: it cannot be a whole reply"));
        }
        Ok(name)
    }

    /// A name for a request or response: nobody else has it, nor had it.
    fn free_name(&self, stem: &str, suffix: &str) -> String {
        let mut name = format!("{stem}{suffix}");
        for number in 2u32.. {
            if !self.messages.contains_key(&name)
                && !self.named.values().any(|known| *known == name)
                && !self.lock.has_name(&name, "")
            {
                break;
            }
            name = format!("{stem}{number}{suffix}");
        }
        name
    }

    fn add_message(&mut self, name: &str, role: Role, fields: Vec<Field>) -> Result<(), String> {
        if self.messages.contains_key(name) {
            return Err(format!("message {name} exists already: hint `rpc`"));
        }
        self.journal.push(super::classes::Made::Message(name.to_owned()));
        self.messages.insert(
            name.to_owned(),
            Message {
                name: name.to_owned(),
                role,
                fields,
            },
        );
        Ok(())
    }
}
