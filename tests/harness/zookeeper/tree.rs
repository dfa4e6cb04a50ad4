//! The nodes, and what a change of them tells the watches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::acl::{self, Identity, Right};
use super::jute::Output;
use super::watches::{Event, Kind};

/// Answers other than "it is done", as ZooKeeper numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Code {
    RuntimeInconsistency = -2,
    Marshalling = -5,
    Unimplemented = -6,
    BadArguments = -8,
    NoNode = -101,
    NoAuth = -102,
    BadVersion = -103,
    NoChildrenForEphemerals = -108,
    NodeExists = -110,
    NotEmpty = -111,
    InvalidAcl = -114,
    AuthFailed = -115,
    NoWatcher = -121,
}

/// The owner of container nodes.
const CONTAINER: i64 = i64::MIN;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) data: Vec<u8>,
    pub(crate) acl: Arc<Vec<Right>>,
    pub(crate) children: BTreeSet<String>,
    pub(crate) owner: i64,
    pub(crate) created: i64,
    pub(crate) modified: i64,
    pub(crate) children_modified: i64,
    ctime: i64,
    mtime: i64,
    pub(crate) version: i32,
    cversion: i32,
    aversion: i32,
}

impl Node {
    pub(crate) fn stat(&self, output: Output) -> Output {
        output
            .long(self.created)
            .long(self.modified)
            .long(self.ctime)
            .long(self.mtime)
            .int(self.version)
            .int(self.cversion)
            .int(self.aversion)
            // A container shows itself as a persistent node (seen: 3.9.4).
            .long(if self.owner == CONTAINER { 0 } else { self.owner })
            .length(self.data.len())
            .length(self.children.len())
            .long(self.children_modified)
    }
}

/// What a node is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) ephemeral: bool,
    pub(crate) sequential: bool,
    pub(crate) container: bool,
}

impl Mode {
    pub(crate) fn from_flags(flags: i32) -> Option<Self> {
        let mode = |ephemeral, sequential, container| Self {
            ephemeral,
            sequential,
            container,
        };
        match flags {
            0 => Some(mode(false, false, false)),
            1 => Some(mode(true, false, false)),
            2 => Some(mode(false, true, false)),
            3 => Some(mode(true, true, false)),
            4 => Some(mode(false, false, true)),
            _ => None,
        }
    }
}

/// On whose behalf, and as which transaction.
pub(crate) struct Caller<'a> {
    pub(crate) session: i64,
    pub(crate) identities: &'a [Identity],
    pub(crate) zxid: i64,
    /// The harness itself, which may do everything.
    pub(crate) all: bool,
}

/// All nodes by their path.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Arc<Node>>,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let mut tree = Self {
            nodes: BTreeMap::new(),
        };
        for (path, children) in [
            ("/", vec!["zookeeper"]),
            ("/zookeeper", vec!["config", "quota"]),
            ("/zookeeper/config", vec![]),
            ("/zookeeper/quota", vec![]),
        ] {
            let mut node = Self::node(0, 0, Vec::new(), Arc::new(Right::open()));
            node.children = children.into_iter().map(str::to_owned).collect();
            tree.nodes.insert(path.to_owned(), Arc::new(node));
        }
        tree
    }

    fn node(zxid: i64, owner: i64, data: Vec<u8>, acl: Arc<Vec<Right>>) -> Node {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis() as i64;
        Node {
            data,
            acl,
            children: BTreeSet::new(),
            owner,
            created: zxid,
            modified: zxid,
            children_modified: zxid,
            ctime: now,
            mtime: now,
            version: 0,
            cversion: 0,
            aversion: 0,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path).map(Arc::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All nodes at or below a path, by path.
    pub(crate) fn below<'a>(&'a self, path: &str) -> impl Iterator<Item = (&'a String, &'a Node)> {
        let path = path.trim_end_matches('/').to_owned();
        let children = format!("{path}/");
        self.nodes
            .range(path.clone()..)
            .take_while({
                let path = path.clone();
                move |(at, _)| at.starts_with(&path)
            })
            .filter(move |(at, _)| **at == path || at.starts_with(&children))
            .map(|(at, node)| (at, node.as_ref()))
    }

    pub(crate) fn find(&self, path: &str, permissions: i32, caller: &Caller<'_>) -> Result<&Node, Code> {
        let node = self.get(path).ok_or(Code::NoNode)?;
        if caller.all || permissions == 0 || acl::allows(&node.acl, permissions, caller.identities) {
            Ok(node)
        } else {
            Err(Code::NoAuth)
        }
    }

    fn change(&mut self, path: &str, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(path) {
            change(Arc::make_mut(node));
        }
    }

    /// Creates a node; gives its path, which for a sequential one is longer than asked for.
    pub(crate) fn create(
        &mut self,
        path: &str,
        data: &[u8],
        acl: Vec<Right>,
        mode: Mode,
        caller: &Caller<'_>,
        events: &mut Vec<Event>,
    ) -> Result<String, Code> {
        let (parent, _) = split(path).ok_or(Code::BadArguments)?;
        let above = self.find(parent, acl::CREATE, caller)?;
        let acl = if caller.all {
            acl
        } else {
            acl::resolve(acl, caller.identities).ok_or(Code::InvalidAcl)?
        };
        let path = if mode.sequential {
            format!("{path}{:010}", above.cversion)
        } else {
            path.to_owned()
        };
        if !is_path(&path) {
            return Err(Code::BadArguments);
        }
        if self.nodes.contains_key(&path) {
            return Err(Code::NodeExists);
        }
        if above.owner != 0 && above.owner != CONTAINER {
            return Err(Code::NoChildrenForEphemerals);
        }
        let owner = match mode {
            Mode { ephemeral: true, .. } => caller.session,
            Mode { container: true, .. } => CONTAINER,
            _ => 0,
        };
        let (parent, name) = split(&path).ok_or(Code::BadArguments)?;
        let parent_acl = above.acl.clone();
        let node = Self::node(caller.zxid, owner, data.to_vec(), Arc::new(acl));
        let acl = node.acl.clone();
        self.change(parent, |above| {
            above.children.insert(name.to_owned());
            above.cversion += 1;
            above.children_modified = caller.zxid;
        });
        events.push(Event::new(Kind::Created, &path, caller.zxid, acl));
        events.push(Event::new(Kind::ChildrenChanged, parent, caller.zxid, parent_acl));
        self.nodes.insert(path.clone(), Arc::new(node));
        Ok(path)
    }

    pub(crate) fn delete(
        &mut self,
        path: &str,
        version: i32,
        caller: &Caller<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), Code> {
        let (parent, name) = split(path)
            .filter(|_| !path.starts_with("/zookeeper"))
            .ok_or(Code::BadArguments)?;
        let above = self.find(parent, acl::DELETE, caller)?;
        let parent_acl = above.acl.clone();
        let node = self.get(path).ok_or(Code::NoNode)?;
        check_version(node.version, version)?;
        if !node.children.is_empty() {
            return Err(Code::NotEmpty);
        }
        let acl = node.acl.clone();
        self.nodes.remove(path);
        self.change(parent, |above| {
            above.children.remove(name);
            above.cversion += 1;
            above.children_modified = caller.zxid;
        });
        events.push(Event::new(Kind::Deleted, path, caller.zxid, acl));
        events.push(Event::new(Kind::ChildrenChanged, parent, caller.zxid, parent_acl));
        Ok(())
    }

    pub(crate) fn set_data(
        &mut self,
        path: &str,
        data: &[u8],
        version: i32,
        caller: &Caller<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), Code> {
        let node = self.find(path, acl::WRITE, caller)?;
        check_version(node.version, version)?;
        events.push(Event::new(Kind::DataChanged, path, caller.zxid, node.acl.clone()));
        self.change(path, |node| {
            node.data = data.to_vec();
            node.version += 1;
            node.modified = caller.zxid;
        });
        Ok(())
    }

    pub(crate) fn set_acl(
        &mut self,
        path: &str,
        acl: Vec<Right>,
        version: i32,
        caller: &Caller<'_>,
    ) -> Result<(), Code> {
        let node = self.find(path, acl::ADMIN, caller)?;
        check_version(node.aversion, version)?;
        let acl = if caller.all {
            acl
        } else {
            acl::resolve(acl, caller.identities).ok_or(Code::InvalidAcl)?
        };
        self.change(path, |node| {
            node.acl = Arc::new(acl);
            node.aversion += 1;
        });
        Ok(())
    }

    pub(crate) fn check(&self, path: &str, version: i32, caller: &Caller<'_>) -> Result<(), Code> {
        check_version(self.find(path, acl::READ, caller)?.version, version)
    }

    /// The ephemeral nodes of a session.
    pub(crate) fn owned_by(&self, session: i64) -> Vec<String> {
        self.nodes
            .iter()
            .filter(|(_, node)| node.owner == session)
            .map(|(path, _)| path.clone())
            .collect()
    }
}

fn check_version(current: i32, expected: i32) -> Result<(), Code> {
    if expected == -1 || expected == current {
        Ok(())
    } else {
        Err(Code::BadVersion)
    }
}

/// The parent's path and the name; none for the root.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = path.rsplit_once('/')?;
    if path == "/" {
        return None;
    }
    Some((if parent.is_empty() { "/" } else { parent }, name))
}

pub(crate) fn is_path(path: &str) -> bool {
    let well_formed = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
    path == "/"
        || path
            .strip_prefix('/')
            .is_some_and(|names| names.split('/').all(well_formed))
}
