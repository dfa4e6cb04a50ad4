//! Java names for protobuf services, methods, messages and enums, with their compiled conversions.
//!
//! A binding file is YAML. What it does not say is taken from the
//! `hessian2_extend` options in the `.proto`, then from the names. Every ambiguity is an error when it is loaded.

mod compile;
mod file;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::LoadError;
use super::java::JavaType;
use super::plan::{ArgumentsPlan, ResultPlan, Types};
use super::schema::{ReadFile, Schema};
use crate::ServiceKey;
use crate::triple::status::Code;

pub(crate) use compile::{is_value_class, upper_snake};
pub use file::{ExceptionsMode, NullResult};

/// The bindings of one or more files.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    services: Vec<Arc<ServiceBinding>>,
    schemas: Vec<Schema>,
}

impl Bindings {
    /// Loads one binding file with its descriptors, and compiles it. `file` names it in errors; `read` gives the
    /// content of descriptor files, which the caller resolves against the binding file's folder.
    ///
    /// # Errors
    /// The first thing wrong, with file, object and member.
    pub fn load(file: &str, yaml: &str, read: &mut ReadFile<'_>) -> Result<Self, LoadError> {
        Self::load_all(file, yaml, read).map_err(|faults| {
            let nothing = || LoadError::new("", "", "cannot be loaded").in_file(file);
            faults.into_iter().next().unwrap_or_else(nothing)
        })
    }

    /// The same, and every fault of one run: what of the binding can be checked is, wherever a fault is.
    ///
    /// # Errors
    /// Everything wrong, in the order of the file; at least one.
    pub fn load_all(file: &str, yaml: &str, read: &mut ReadFile<'_>) -> Result<Self, Vec<LoadError>> {
        compile::load(file, yaml, read)
            .map_err(|faults| faults.into_iter().map(|fault| fault.in_file(file)).collect())
    }

    /// Adds the services of another file.
    ///
    /// # Errors
    /// When both bind one service key, or two interfaces to one protobuf service.
    pub fn merge(&mut self, other: Self) -> Result<(), LoadError> {
        for service in other.services {
            let file = service.file.clone();
            self.add(service).map_err(|error| error.in_file(&file))?;
        }
        self.schemas.extend(other.schemas);
        Ok(())
    }

    fn add(&mut self, service: Arc<ServiceBinding>) -> Result<(), LoadError> {
        if self.by_key(&service.key).is_some() {
            return Err(LoadError::new(&service.key.to_string(), "", "is bound twice"));
        }
        let other = self
            .by_proto(&service.proto)
            .find(|other| other.key.interface() != service.key.interface());
        if let Some(other) = other {
            return Err(shared_service(
                service.key.interface(),
                &service.proto,
                other.key.interface(),
            ));
        }
        self.services.push(service);
        Ok(())
    }

    /// All services.
    pub fn services(&self) -> &[Arc<ServiceBinding>] {
        &self.services
    }

    /// The descriptors behind them, for reflection.
    pub fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    /// The binding of a Java service; a default version folds into none.
    pub fn by_key(&self, key: &ServiceKey) -> Option<&Arc<ServiceBinding>> {
        self.services
            .iter()
            .find(|service| service.key == *key)
            .or_else(|| self.services.iter().find(|service| service.key.matches(key)))
    }

    /// The bindings of a protobuf service: one for each group and version.
    pub fn by_proto<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b Arc<ServiceBinding>> + 'b {
        self.services.iter().filter(move |service| service.proto == name)
    }

    /// The bindings of a name that a Triple or gRPC caller may use: the protobuf name or the Java interface.
    pub fn by_name<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b Arc<ServiceBinding>> + 'b {
        self.services
            .iter()
            .filter(move |service| service.proto == name || service.key.interface() == name)
    }
}

/// A caller of the protobuf service could mean either interface.
fn shared_service(java: &str, proto: &str, other: &str) -> LoadError {
    LoadError::new(java, "proto", format!("{proto} is bound to {other}, too"))
}

/// The binding of one service: its methods and their compiled plans.
#[derive(Debug)]
pub struct ServiceBinding {
    /// The Java side.
    pub key: ServiceKey,
    /// The protobuf service's full name.
    pub proto: String,
    /// The file that says so.
    pub file: String,
    /// How exceptions reach Triple callers.
    pub exceptions_mode: ExceptionsMode,
    /// The methods, in the order of the protobuf service.
    pub methods: Vec<Arc<MethodBinding>>,
}

/// Why a service binding has no answer for a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMethod {
    /// No method of that name.
    #[error("method is not bound")]
    Unknown,
    /// Several, and the descriptor is that of none of them.
    #[error("method is overloaded and none of its bindings has these parameter types")]
    Ambiguous,
}

impl ServiceBinding {
    /// The binding of a Java method: by name and JVM descriptor of its parameters; when the descriptor is none of a
    /// bound method's, or absent, by name and parameter count where that is unique.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn method(&self, java: &str, descriptor: Option<&str>) -> Result<&Arc<MethodBinding>, NoMethod> {
        let named = || self.methods.iter().filter(|method| method.java == java);
        if let Some(descriptor) = descriptor {
            if let Some(exact) = named().find(|method| method.descriptor == descriptor) {
                return Ok(exact);
            }
            let arity = JavaType::parse_descriptor(descriptor).map(|types| types.len());
            let mut fitting = named().filter(|method| arity == Some(method.parameters.len()));
            return match (fitting.next(), fitting.next()) {
                (Some(one), None) => Ok(one),
                (Some(_), Some(_)) => Err(NoMethod::Ambiguous),
                (None, _) if named().next().is_some() => Err(NoMethod::Ambiguous),
                (None, _) => Err(NoMethod::Unknown),
            };
        }
        let mut all = named();
        match (all.next(), all.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(NoMethod::Ambiguous),
            (None, _) => Err(NoMethod::Unknown),
        }
    }

    /// The binding of an rpc; the case of the first letter does not matter.
    pub fn rpc(&self, rpc: &str) -> Option<&Arc<MethodBinding>> {
        self.methods.iter().find(|method| method.rpc == rpc).or_else(|| {
            self.methods
                .iter()
                .find(|method| crate::triple::headers::same_method(&method.rpc, rpc))
        })
    }
}

/// The binding of one method.
#[derive(Debug)]
pub struct MethodBinding {
    /// `interface.method`, for errors and logs.
    pub name: String,
    /// The Java method.
    pub java: String,
    /// Its parameter types.
    pub parameters: Vec<JavaType>,
    /// Its parameter types as one JVM descriptor.
    pub descriptor: String,
    /// Its parameter types as `Class.getName()`, for wrapper messages.
    pub arg_types: Vec<String>,
    /// Its return type, futures unwrapped.
    pub returns: JavaType,
    /// Its return type as `Class.getName()`.
    pub return_type: String,
    /// The rpc.
    pub rpc: String,
    /// `/package.Service/Rpc`.
    pub path: String,
    /// The rpc streams: it passes between Triple ends and is never translated.
    pub streaming: bool,
    /// What a null result becomes.
    pub null_result: NullResult,
    /// The exceptions that the method declares.
    pub throws: Vec<String>,
    pub(crate) arguments: ArgumentsPlan,
    pub(crate) result: ResultPlan,
    pub(crate) types: Arc<Types>,
    pub(crate) exceptions: Arc<ExceptionBindings>,
}

/// What a file says about exceptions.
#[derive(Debug, Default)]
pub(crate) struct ExceptionBindings {
    /// Class to code and message.
    pub(crate) classes: BTreeMap<String, ExceptionBinding>,
    pub(crate) expose_stack: bool,
    pub(crate) heuristic_codes: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct ExceptionBinding {
    pub(crate) code: Option<Code>,
    /// Full name and plan of the message that carries its fields.
    pub(crate) message: Option<(String, u32)>,
}
