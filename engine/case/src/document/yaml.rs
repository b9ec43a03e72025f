//! YAML through the parser's events (hrp spec 1.5, 1.7, 1.8): anchors, aliases and merge keys resolved, duplicate keys refused.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{FileId, Key, Node, NodeKind, Place, Scalar, ScalarKind, SyntaxError, MAX_DEPTH, MAX_NODES};

/// Reads the first document of a text, which is that of `file`.
///
/// # Errors
/// [`SyntaxError`] with the place: broken YAML, a key twice, an alias without its anchor, or more than [`MAX_DEPTH`] levels or
/// [`MAX_NODES`] values.
pub(crate) fn parse_yaml(text: &str, file: FileId) -> Result<Node, SyntaxError> {
    let mut builder = Builder::new(text, file);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| SyntaxError {
            message: match error.info() {
                // The parser's own limit lies above ours and is met before ours can be.
                "recursion limit exceeded" => format!("more than {MAX_DEPTH} levels of lists and maps"),
                info => info.to_owned(),
            },
            place: builder.offsets.place_at(error.marker().index()),
        })?;
        if builder.take(event, span)? {
            break;
        }
    }
    Ok(builder.root.unwrap_or(Node { kind: NodeKind::Scalar(plain_null()), place: Place { file, offset: 0, len: 0 } }))
}

/// A list or map whose end has not come yet.
struct Open {
    place: Place,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, seen: HashSet<Box<str>>, key: Option<Key>, merges: Vec<Node> },
}

struct Builder {
    offsets: Offsets,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder {
    fn new(text: &str, file: FileId) -> Self {
        Builder { offsets: Offsets::new(text, file), open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None }
    }

    /// Takes the next event; true where the document is complete.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<bool, SyntaxError> {
        let place = self.offsets.place(span);
        match event {
            Event::DocumentEnd | Event::StreamEnd => return Ok(self.root.is_some()),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
            Event::Scalar(text, style, anchor, tag) => {
                let kind = scalar_kind(style, tag.as_deref(), &text, place)?;
                let scalar = Scalar { text: text.as_ref().into(), kind };
                self.add(Node { kind: NodeKind::Scalar(scalar), place }, anchor)?;
            }
            Event::SequenceStart(anchor, _) => self.push(place, anchor, Content::List(Vec::new()))?,
            Event::MappingStart(anchor, _) => {
                let content = Content::Map { entries: Vec::new(), seen: HashSet::new(), key: None, merges: Vec::new() };
                self.push(place, anchor, content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let node = close(open.content, open.place)?;
                    self.add(node, open.anchor)?;
                }
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(error(place, "this alias names an anchor that is not complete here"));
                };
                // Counted before it is copied: aliases of aliases grow exponentially.
                self.nodes += node.count();
                self.check_size(place, node.depth())?;
                let node = Node { kind: node.kind.clone(), place };
                self.add(node, 0)?;
            }
        }
        Ok(false)
    }

    fn push(&mut self, place: Place, anchor: usize, content: Content) -> Result<(), SyntaxError> {
        self.check_size(place, 1)?;
        if let Some(Open { content: Content::Map { key: None, .. }, .. }) = self.open.last() {
            return Err(error(place, "a list or map cannot be a key"));
        }
        self.open.push(Open { place, anchor, content });
        Ok(())
    }

    fn check_size(&self, place: Place, levels: usize) -> Result<(), SyntaxError> {
        if self.open.len() + levels > MAX_DEPTH {
            return Err(error(place, &format!("more than {MAX_DEPTH} levels of lists and maps")));
        }
        if self.nodes > MAX_NODES {
            return Err(error(place, &format!("more than {MAX_NODES} values; do aliases multiply them?")));
        }
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), SyntaxError> {
        self.nodes += 1;
        self.check_size(node.place, 0)?;
        if anchor > 0 {
            self.nodes += node.count();
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, seen, key, merges }) => match key.take() {
                None => *key = Some(as_key(node)?),
                Some(k) if is_merge(&k) => merges.push(node),
                Some(k) => {
                    if !seen.insert(k.text.clone()) {
                        return Err(error(k.place, &format!("the key \"{}\" stands twice in this map", k.text)));
                    }
                    entries.push((k, node));
                }
            },
        }
        Ok(())
    }
}

fn error(place: Place, message: &str) -> SyntaxError {
    SyntaxError { message: message.into(), place }
}

fn plain_null() -> Scalar {
    Scalar { text: "".into(), kind: ScalarKind::Plain }
}

fn is_merge(key: &Key) -> bool {
    &*key.text == "<<"
}

fn as_key(node: Node) -> Result<Key, SyntaxError> {
    match node.kind {
        NodeKind::Scalar(scalar) => Ok(Key { text: scalar.text, place: node.place }),
        NodeKind::List(_) | NodeKind::Map(_) => Err(error(node.place, "a list or map cannot be a key")),
    }
}

/// A finished list or map; what is merged in stands behind the map's own keys and never replaces one (YAML merge keys).
fn close(content: Content, place: Place) -> Result<Node, SyntaxError> {
    let kind = match content {
        Content::List(items) => NodeKind::List(items),
        Content::Map { mut entries, mut seen, merges, .. } => {
            for merge in merges {
                let sources = match merge.kind {
                    NodeKind::List(list) => list,
                    _ => vec![merge],
                };
                for source in sources {
                    let NodeKind::Map(merged) = source.kind else {
                        return Err(error(source.place, "only a map, or a list of maps, can be merged with <<"));
                    };
                    entries.extend(merged.into_iter().filter(|(key, _)| seen.insert(key.text.clone())));
                }
            }
            NodeKind::Map(entries)
        }
    };
    Ok(Node { kind, place })
}

/// A tag of the core schema overrules the style; other tags say nothing about test cases and are passed over, as hrp does.
fn scalar_kind(style: ScalarStyle, tag: Option<&Tag>, text: &str, place: Place) -> Result<ScalarKind, SyntaxError> {
    let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    match core {
        Some("str") => return Ok(ScalarKind::Quoted),
        Some("binary") => return Err(error(place, &format!("binary data (!!binary {text:.20}) is not supported"))),
        Some("int" | "float" | "bool" | "null") => return Ok(ScalarKind::Plain),
        _ => {}
    }
    // "!" alone says text.
    let non_specific = tag.is_some_and(|tag| tag.handle.is_empty() && tag.suffix == "!");
    Ok(if style == ScalarStyle::Plain && !non_specific { ScalarKind::Plain } else { ScalarKind::Quoted })
}

/// The parser counts characters, places are bytes.
struct Offsets {
    /// Byte offset of each character, where the text is not all ASCII.
    of_char: Option<Vec<u32>>,
    len: usize,
    file: FileId,
}

impl Offsets {
    fn new(text: &str, file: FileId) -> Self {
        let of_char = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at as u32).collect());
        Offsets { of_char, len: text.len(), file }
    }

    fn byte(&self, index: usize) -> usize {
        match &self.of_char {
            None => index.min(self.len),
            Some(offsets) => offsets.get(index).map_or(self.len, |at| *at as usize),
        }
    }

    fn place(&self, span: Span) -> Place {
        let offset = self.byte(span.start.index());
        Place { file: self.file, offset, len: self.byte(span.end.index()).saturating_sub(offset) }
    }

    fn place_at(&self, index: usize) -> Place {
        Place { file: self.file, offset: self.byte(index), len: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    /// The tree as text, with places left out.
    fn show(node: &Node) -> String {
        match &node.kind {
            NodeKind::Scalar(scalar) => match scalar.resolve() {
                Value::Text(text) => format!("{text:?}"),
                value => {
                    let mut out = String::new();
                    value.operand().push_json(&mut out);
                    out
                }
            },
            NodeKind::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(" ")),
            NodeKind::Map(entries) => {
                let entries: Vec<_> = entries.iter().map(|(k, v)| format!("{}={}", k.text, show(v))).collect();
                format!("{{{}}}", entries.join(" "))
            }
        }
    }

    fn shown(text: &str) -> Result<String, SyntaxError> {
        parse_yaml(text, FileId(0)).map(|node| show(&node))
    }

    #[test]
    fn values_keep_their_types() {
        assert_eq!(
            shown("a: yes\nb: 0777\nc: [1.5, ~, '1', \"x\\ty\"]\n1: one").unwrap(),
            r#"{a="yes" b=511 c=[1.5 null "1" "x\ty"] 1="one"}"#
        );
        assert_eq!(shown("!!str 12").unwrap(), "\"12\"");
        assert_eq!(shown("|\n  a\n  b\n").unwrap(), "\"a\\nb\\n\"");
        assert_eq!(shown("").unwrap(), "null");
    }

    #[test]
    fn aliases_and_merges() {
        assert_eq!(
            shown("d: &d {x: 1, y: 2}\ne: {<<: *d, y: 3}\nf: {<<: [{y: 4}, *d]}\ng: *d").unwrap(),
            "{d={x=1 y=2} e={y=3 x=1} f={y=4 x=1} g={x=1 y=2}}"
        );
        assert!(shown("a: *nowhere").is_err());
        assert!(shown("a: &a [*a]").is_err());
        assert!(shown("{<<: 1}").is_err());
    }

    #[test]
    fn duplicate_keys_are_refused_with_their_place() {
        let error = shown("a: 1\n中: 2\na: 3").unwrap_err();
        assert_eq!(error.message, "the key \"a\" stands twice in this map");
        assert_eq!(error.place, Place { file: FileId(0), offset: 12, len: 1 });
    }

    #[test]
    fn a_billion_laughs_end_early() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..20 {
            let line = format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
            bomb.push_str(&line);
        }
        assert!(shown(&bomb).unwrap_err().message.starts_with("more than 500000 values"));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
        assert!(shown(&deep).unwrap_err().message.contains("100 levels"));
        let mut chain = String::from("a0: &a0 [1]\n");
        for n in 1..200 {
            let line = format!("a{n}: &a{n} [*a{}]\n", n - 1);
            chain.push_str(&line);
        }
        assert!(shown(&chain).unwrap_err().message.contains("100 levels"));
    }
}
