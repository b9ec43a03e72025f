//! Postman collections 2.0 and 2.1 as steps (hrp spec 18.3): folders flattened, variables and credentials carried over.

use std::collections::HashMap;

use serde_json::{json, Value};

use super::{
    draft::{basic_auth, check_url, note_trimmed, percent_decoded, Draft},
    foreign::parse,
    har::form_text,
    payload::{json_body, pairs, put_body},
    postman_variables::Variables,
    problem::{ConvertError, Lines, Notes},
    run::{ConvertOptions, Steps},
};
use crate::{
    document::{Node, NodeKind},
    request::{is_header_name, is_header_value, FORM_TYPE},
};

/// Methods whose body Postman leaves out unless a request says otherwise (`disableBodyPruning`).
const WITHOUT_BODY: [&str; 5] = ["GET", "HEAD", "COPY", "PURGE", "UNLOCK"];

/// Converts a collection.
pub(super) fn convert(text: &str, options: &ConvertOptions<'_>, notes: &mut Notes) -> Result<Value, ConvertError> {
    let root = parse(text, "a Postman collection")?;
    // The API of Postman wraps a collection in a map.
    let collection = root.get("collection").filter(|_| root.get("item").is_none()).unwrap_or(&root);
    let Some(items) = collection.get("item") else {
        let error = ConvertError::new(1, "this is no Postman collection: it has no item");
        return Err(error.with_help("export the collection from Postman as Collection v2.1"));
    };
    let mut variables = Variables::default();
    for variable in collection.get("variable").map(Node::items).unwrap_or_default() {
        let name = variable.get_str("key").or_else(|| variable.get_str("id"));
        if let Some(name) = name.filter(|name| !name.trim().is_empty() && !variable.is_true("disabled")) {
            let mut value = String::new();
            if let Some(node) = variable.get("value") {
                push_json(node, &mut value);
            }
            variables.define(name.trim(), &value);
        }
    }
    let mut maker = Maker { lines: Lines::of(text), options, notes, variables, steps: Steps::default() };
    maker.events(collection);
    maker.items(items, "", collection.get("auth"))?;
    let Maker { variables, steps, .. } = maker;
    if steps.is_empty() {
        let mut error = ConvertError::new(None, "the collection holds no request that can be converted");
        error.help = notes.list.first().map(ToString::to_string);
        return Err(error);
    }
    let name = collection.get("info").and_then(|info| info.get_str("name")).unwrap_or_default();
    let mut config = json!({ "name": super::draft::literal(name) });
    if let Some(variables) = variables.into_config(notes)? {
        config["variables"] = variables;
    }
    Ok(steps.into_case(&config))
}

struct Maker<'a> {
    lines: Lines,
    options: &'a ConvertOptions<'a>,
    notes: &'a mut Notes,
    variables: Variables,
    steps: Steps,
}

impl Maker<'_> {
    /// The items of a folder; folders nest no deeper than the reader allows.
    fn items(&mut self, items: &Node, folder: &str, inherited_auth: Option<&Node>) -> Result<(), ConvertError> {
        for item in items.items() {
            let own = item.get_str("name").unwrap_or_default();
            let name = if folder.is_empty() { own.to_owned() } else { format!("{folder} - {own}") };
            self.events(item);
            let auth = item.get("auth").or(inherited_auth);
            if let Some(inner) = item.get("item") {
                self.items(inner, &name, auth)?;
            } else if let Some(request) = item.get("request") {
                match self.step(item, request, auth) {
                    Ok(mut draft) => {
                        draft.name = super::draft::literal(&name);
                        self.steps.push(draft)?;
                    }
                    Err(reason) => self.note(item, format!("\"{name}\" is left out: {reason}")),
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, node: &Node, message: String) {
        self.notes.add(self.lines.at(node.place.offset), message);
    }

    fn fill(&mut self, text: &str) -> String {
        self.variables.fill(text, self.notes)
    }

    fn events(&mut self, node: &Node) {
        for event in node.get("event").map(Node::items).unwrap_or_default() {
            let lines = event.get("script").and_then(|script| script.get("exec"));
            let is_empty = match lines.map(|lines| &lines.kind) {
                Some(NodeKind::List(lines)) => {
                    lines.iter().all(|line| line.str().is_none_or(|line| line.trim().is_empty()))
                }
                Some(NodeKind::Scalar(scalar)) => scalar.text.trim().is_empty(),
                _ => true,
            };
            if !is_empty {
                let when = event.get_str("listen").unwrap_or("a");
                self.note(event, format!("the {when} script is left out: write extract and validate instead"));
            }
        }
    }

    /// One request. Errors are sentences: it is left out.
    fn step(&mut self, item: &Node, request: &Node, inherited_auth: Option<&Node>) -> Result<Draft, String> {
        // A request may be no more than its URL.
        let method = match request.str() {
            Some(_) => "GET",
            None => request.get_str("method").unwrap_or("GET"),
        };
        if !is_header_name(method) {
            return Err(format!("\"{method}\" is no method"));
        }
        let mut draft = Draft { method: method.to_owned(), ..Draft::default() };
        let url = if request.str().is_some() { Some(request) } else { request.get("url") };
        self.url(url.ok_or("it has no URL")?, &mut draft)?;
        self.headers(request, &mut draft);
        if let Some(auth) = request.get("auth").or(inherited_auth) {
            self.auth(auth, &mut draft);
        }
        let behaviour = item.get("protocolProfileBehavior");
        if let Some(body) = request.get("body").filter(|body| !body.is_true("disabled")) {
            let is_kept = behaviour.is_some_and(|behaviour| behaviour.is_true("disableBodyPruning"));
            if is_kept || !WITHOUT_BODY.contains(&method) {
                self.body(body, &mut draft);
            }
        }
        if behaviour.is_some_and(|behaviour| behaviour.get_str("followRedirects") == Some("false")) {
            draft.allow_redirects = Some(false);
        }
        Ok(draft)
    }

    fn url(&mut self, url: &Node, draft: &mut Draft) -> Result<(), String> {
        let raw = match (url.str(), url.get_str("raw")) {
            (Some(raw), _) | (None, Some(raw)) => raw.to_owned(),
            (None, None) => put_together(url)?,
        };
        let complete = self.variables.complete_url(&raw);
        let complete = complete.split_once('#').map_or(&*complete, |(before, _)| before);
        let (base, raw_query) = match complete.split_once('?') {
            Some((base, query)) => (base.to_owned(), Some(query)),
            None => (complete.to_owned(), None),
        };
        let base = Self::with_path_variables(&base, url);
        let resolved =
            self.variables.resolved(&base).ok_or("the variables in its URL refer to themselves, or to too much")?;
        check_url(&resolved, None)?;
        let listed = url.get("query").map(Node::items).unwrap_or_default();
        let query: Vec<(String, Option<String>)> = if listed.is_empty() {
            let pieces = raw_query.unwrap_or_default().split('&').filter(|piece| !piece.is_empty());
            pieces
                .map(|piece| {
                    piece.split_once('=').map_or((piece.to_owned(), None), |(k, v)| (k.to_owned(), Some(v.to_owned())))
                })
                .collect()
        } else {
            let enabled = listed.iter().filter(|param| !param.is_true("disabled"));
            enabled
                .map(|param| {
                    let value = param.get_str("value").map(str::to_owned);
                    (param.get_str("key").unwrap_or_default().to_owned(), value)
                })
                .collect()
        };
        draft.url = self.fill(&base);
        if query.is_empty() {
            return Ok(());
        }
        let text: Vec<_> = query
            .iter()
            .map(|(key, value)| match value {
                Some(value) => format!("{key}={value}"),
                None => key.clone(),
            })
            .collect();
        let text = text.join("&");
        // Postman sends a query as it is written; where params would mean the same they are easier to change.
        if let Some(pairs) = pairs(&text).filter(|pairs| pairs.len() == query.len()) {
            for (key, value) in pairs {
                let pair = (self.fill(&key), self.fill(&value));
                draft.params.push(pair);
            }
        } else {
            let resolved_query = self.variables.resolved(&text);
            check_url(&resolved, Some(&resolved_query.ok_or("the variables in its query refer to too much")?))?;
            draft.url.push('?');
            let query = self.fill(&text);
            draft.url.push_str(&query);
        }
        Ok(())
    }

    /// `:name` between slashes is a variable of the URL's own.
    fn with_path_variables(base: &str, url: &Node) -> String {
        let mut values = HashMap::new();
        for variable in url.get("variable").map(Node::items).unwrap_or_default() {
            if let Some(name) = variable.get_str("key").or_else(|| variable.get_str("id")) {
                values.entry(name).or_insert(variable.get_str("value").unwrap_or_default());
            }
        }
        let value = |segment: &str| values.get(segment.strip_prefix(':')?).map(|value| (*value).to_owned());
        base.split('/')
            .map(|segment| value(segment).unwrap_or_else(|| segment.to_owned()))
            .collect::<Vec<_>>()
            .join("/")
    }

    fn headers(&mut self, request: &Node, draft: &mut Draft) {
        let Some(header) = request.get("header") else { return };
        let mut fields: Vec<(String, String)> = Vec::new();
        match header.str() {
            // Collections 2.0 may have them as one text.
            Some(text) => fields.extend(
                text.lines()
                    .filter_map(|line| line.split_once(':'))
                    .map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned())),
            ),
            None => {
                fields.extend(header.items().iter().filter(|field| !field.is_true("disabled")).filter_map(|field| {
                    Some((
                        field.get_str("key")?.trim().to_owned(),
                        field.get_str("value").unwrap_or_default().to_owned(),
                    ))
                }));
            }
        }
        for (name, value) in fields.iter().filter(|(name, _)| !name.is_empty()) {
            if let Err(reason) = self.header(name, value, draft) {
                self.note(header, format!("a header is left out: {reason}"));
            }
        }
    }

    /// One header. Errors are sentences.
    fn header(&mut self, name: &str, value: &str, draft: &mut Draft) -> Result<(), String> {
        let resolved = self.variables.resolved(value).ok_or("its variables refer to themselves, or to too much")?;
        if !is_header_value(&resolved) {
            return Err(format!("the value of the header {name} holds a control character"));
        }
        let fill = &mut |text: &str| self.variables.fill(text, self.notes);
        if name.eq_ignore_ascii_case("cookie") {
            draft.add_cookies(value, fill)
        } else {
            draft.add_header(name, value, fill)
        }
    }

    /// Credentials as the header they become; a header the request has itself stands.
    fn auth(&mut self, auth: &Node, draft: &mut Draft) {
        let kind = auth.get_str("type").unwrap_or("noauth");
        // A list of {key, value} in 2.1, a map in 2.0.
        let part = |name: &str| -> String {
            let parts = auth.get(kind);
            let listed = parts.and_then(|parts| parts.items().iter().find(|part| part.get_str("key") == Some(name)));
            let value = listed.and_then(|part| part.get_str("value")).or_else(|| parts?.get_str(name));
            value.unwrap_or_default().to_owned()
        };
        match kind {
            "noauth" => {}
            // A header the request has itself stands.
            "digest" if draft.header("Authorization").is_some() => {
                self.note(auth, "the digest credentials are left out: the request has an Authorization header".into());
            }
            "basic" => {
                // Its encoding is that of the values there are now.
                let user = format!("{}:{}", part("username"), part("password"));
                if user.contains("{{") {
                    self.note(
                        auth,
                        "the variables in a user name or password are filled in with their present values".into(),
                    );
                }
                match self.variables.resolved(&user) {
                    Some(user) => draft.default_header("Authorization", basic_auth(&user)),
                    None => self.note(auth, "the credentials are left out: their variables refer to themselves".into()),
                }
            }
            "digest" => {
                draft.digest = Some([self.fill(&part("username")), self.fill(&part("password"))]);
            }
            "bearer" => self.auth_header(auth, "Authorization", &format!("Bearer {}", part("token")), draft),
            "apikey" if part("in") == "query" => {
                let pair = (self.fill(&part("key")), self.fill(&part("value")));
                if draft.params.iter().all(|(name, _)| *name != pair.0) && !pair.0.is_empty() && pair.0 != "<<" {
                    draft.params.push(pair);
                }
            }
            "apikey" => self.auth_header(auth, &part("key"), &part("value"), draft),
            other => self.note(auth, format!("the {other} authorization is left out: a test case cannot say it")),
        }
    }

    fn auth_header(&mut self, auth: &Node, name: &str, value: &str, draft: &mut Draft) {
        if draft.header(name).is_some() {
            return;
        }
        if let Err(reason) = self.header(name, value, draft) {
            self.note(auth, format!("the credentials are left out: {reason}"));
        }
    }

    fn body(&mut self, body: &Node, draft: &mut Draft) {
        match body.get_str("mode").unwrap_or_default() {
            "" | "none" => {}
            "raw" => self.raw(body, draft),
            "urlencoded" => self.urlencoded(body, draft),
            "formdata" => self.form_data(body, draft),
            "graphql" => {
                let Some(graphql) = body.get("graphql") else { return };
                let mut text = String::from("{\"query\":");
                text.push_str(&json!(graphql.get_str("query").unwrap_or_default()).to_string());
                let variables = graphql.get_str("variables").unwrap_or_default().trim();
                if !variables.is_empty() {
                    text.push_str(",\"variables\":");
                    text.push_str(variables);
                }
                text.push('}');
                draft.default_header("Content-Type", "application/json");
                put_body(draft, &text, Some("application/json"), &mut |text| self.variables.fill(text, self.notes));
            }
            "file" => {
                let Some(file) = body.get("file").and_then(|file| file.get_str("src")).filter(|file| !file.is_empty())
                else {
                    return;
                };
                match (self.options.read_file)(file).map(String::from_utf8) {
                    Ok(Ok(text)) => {
                        note_trimmed(&text, "the body", None, self.notes);
                        draft.body = Some(Value::String(super::draft::literal(&text)));
                    }
                    Ok(Err(_)) => self.note(body, format!("the body is left out: the file {file} is not UTF-8 text")),
                    Err(reason) => self.note(body, format!("the body is left out: the file {file}: {reason}")),
                }
            }
            other => self.note(body, format!("the body is left out: its mode \"{other}\" is not known")),
        }
    }

    fn raw(&mut self, body: &Node, draft: &mut Draft) {
        let Some(text) = body.get_str("raw").filter(|text| !text.is_empty()) else { return };
        let language =
            body.get("options").and_then(|options| options.get("raw")).and_then(|raw| raw.get_str("language"));
        let kind = match language {
            Some("json") => Some("application/json"),
            Some("xml") => Some("application/xml"),
            Some("html") => Some("text/html"),
            Some("javascript") => Some("application/javascript"),
            Some("text") => Some("text/plain"),
            _ => None,
        };
        if let Some(kind) = kind {
            draft.default_header("Content-Type", kind);
        }
        let kind = draft.header("Content-Type").map(str::to_owned);
        put_body(draft, text, kind.as_deref(), &mut |text| self.variables.fill(text, self.notes));
        // Older collections name no language; text that is JSON and has no type would go without one.
        if kind.is_none() && json_body(text, &mut |text| text.to_owned()).is_some() {
            draft.default_header("Content-Type", "application/json");
            put_body(draft, text, Some("application/json"), &mut |text| self.variables.fill(text, self.notes));
        }
        if draft.body.as_ref().is_some_and(Value::is_string) {
            note_trimmed(text, "the body", self.lines.at(body.place.offset), self.notes);
        }
    }

    fn urlencoded(&mut self, body: &Node, draft: &mut Draft) {
        let Some(form) = body.get("urlencoded") else { return };
        let text = if let Some(text) = form.str() {
            text.to_owned()
        } else {
            let enabled = form.items().iter().filter(|field| !field.is_true("disabled"));
            let pairs: Vec<_> = enabled
                .filter_map(|field| Some((field.get_str("key")?, field.get_str("value").unwrap_or_default())))
                .collect();
            form_text(&pairs)
        };
        draft.default_header("Content-Type", FORM_TYPE);
        let kind = draft.header("Content-Type").map(str::to_owned);
        put_body(draft, &text, kind.as_deref(), &mut |text| {
            // As a text of a form its variables are encoded too; as it stands in the collection they are not.
            let text = if text.contains("%7B%7B") { percent_decoded_braces(text) } else { text.to_owned() };
            self.variables.fill(&text, self.notes)
        });
    }

    fn form_data(&mut self, body: &Node, draft: &mut Draft) {
        draft.remove_header("Content-Type");
        for field in body.get("formdata").map(Node::items).unwrap_or_default() {
            let Some(key) = field.get_str("key").filter(|_| !field.is_true("disabled")) else { continue };
            let is_file = field.get_str("type") == Some("file");
            let mut value = if is_file {
                let files = field.get("src");
                let sources = match files.map(Node::items).unwrap_or_default() {
                    [] => files.and_then(Node::str).into_iter().collect(),
                    several => several.iter().filter_map(Node::str).collect::<Vec<_>>(),
                };
                let Some(source) = sources.first() else {
                    self.note(field, format!("the form field {key} is left out: it names no file"));
                    continue;
                };
                if sources.len() > 1 {
                    self.note(field, format!("only the first file of the form field {key} is sent"));
                }
                format!("@{source}")
            } else {
                let text = field.get_str("value").unwrap_or_default();
                // What begins an option, or a file's name, stands for itself in Postman.
                if text.contains(';') {
                    self.note(
                        field,
                        format!(
                            "the text of the form field {key} has a ; in it, which begins an option in a test case"
                        ),
                    );
                }
                if text.starts_with(['@', '"']) {
                    format!("\"{text}\"")
                } else {
                    text.to_owned()
                }
            };
            if let Some(kind) = field.get_str("contentType").filter(|kind| !kind.contains(';')) {
                value.push_str(";type=");
                value.push_str(kind);
            }
            let (key, value) = (self.fill(key), self.fill(&value));
            if let Err(reason) = draft.add_upload(key, value) {
                self.note(field, format!("a form field is left out: {reason}"));
            }
        }
    }
}

/// A URL from its parts, where it has no raw text.
fn put_together(url: &Node) -> Result<String, String> {
    let joined = |name: &str, separator: &str| -> String {
        let node = url.get(name);
        let parts: Vec<_> = node.map(Node::items).unwrap_or_default().iter().filter_map(Node::str).collect();
        if parts.is_empty() {
            node.and_then(Node::str).unwrap_or_default().to_owned()
        } else {
            parts.join(separator)
        }
    };
    let host = joined("host", ".");
    if host.is_empty() {
        return Err("its URL has no host".into());
    }
    let scheme = url.get_str("protocol").map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let port = url.get_str("port").map(|port| format!(":{port}")).unwrap_or_default();
    let path = joined("path", "/");
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    Ok(format!("{scheme}{host}{port}{slash}{path}"))
}

/// `%7B%7Bname%7D%7D` as `{{name}}`, everything else as it is.
fn percent_decoded_braces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("%7B%7B") {
        out.push_str(before);
        let Some((name, after)) = behind.split_once("%7D%7D") else {
            out.push_str("%7B%7B");
            rest = behind;
            continue;
        };
        if let Some(name) = percent_decoded(&name.replace('+', " ")) {
            out.push_str("{{");
            out.push_str(&name);
            out.push_str("}}");
        } else {
            out.push_str("%7B%7B");
            out.push_str(name);
            out.push_str("%7D%7D");
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A variable's value as text: a list or map as JSON.
fn push_json(node: &Node, out: &mut String) {
    match &node.kind {
        NodeKind::Scalar(scalar) => out.push_str(&scalar.text),
        NodeKind::List(_) | NodeKind::Map(_) => out.push_str(&to_json(node).to_string()),
    }
}

fn to_json(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Scalar(scalar) => scalar.resolve().to_json(),
        NodeKind::List(items) => items.iter().map(to_json).collect::<Vec<_>>().into(),
        NodeKind::Map(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.text.to_string(), to_json(value))).collect())
        }
    }
}
