//! The ZooKeeper registry: sessions, watches and our own provider nodes.
