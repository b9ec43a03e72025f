//! The tree.

use super::Scalar;

/// How deep a case file may nest: deeper than any case, shallow enough that walking it by recursion is safe.
pub(crate) const MAX_DEPTH: usize = 100;

/// How many values a case file may hold once aliases are expanded: a few lines of aliases of aliases could otherwise ask for
/// more memory than there is.
pub(crate) const MAX_NODES: usize = 500_000;

/// Which file something stands in: 0 is the case's own, any other one that cases of this load refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(crate) struct FileId(pub(crate) u32);

/// Where something stands in its file: bytes from the start, so that line and column can be computed when they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) file: FileId,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// A value of a file.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) place: Place,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Scalar(Scalar),
    List(Vec<Node>),
    /// In file order, keys distinct.
    Map(Vec<(Key, Node)>),
}

/// A map's key: always text, whatever it looks like (hrp spec 1.8).
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) text: Box<str>,
    pub(crate) place: Place,
}

/// What is not YAML, or not JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) place: Place,
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar(scalar) if scalar.is_null())
    }

    /// What it is, for messages.
    pub(crate) fn kind_name(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar(scalar) => scalar.kind_name(),
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a map",
        }
    }

    /// This value and all in it.
    pub(crate) fn count(&self) -> usize {
        match &self.kind {
            NodeKind::Scalar(_) => 1,
            NodeKind::List(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            NodeKind::Map(entries) => 1 + entries.iter().map(|(_, value)| value.count()).sum::<usize>(),
        }
    }

    /// Levels of lists and maps in it.
    pub(crate) fn depth(&self) -> usize {
        match &self.kind {
            NodeKind::Scalar(_) => 0,
            NodeKind::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            NodeKind::Map(entries) => 1 + entries.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }
}
