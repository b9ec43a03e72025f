//! A request as a value, for expressions that name it whole (hrp spec 7.8).

use super::RenderedRequest;
use crate::{
    response::{with_scratch, ParsedBody},
    value::{Map, TapeRef, Value},
};

/// `method`, `url`, `headers`, `cookies` and `body`: a JSON body as its value, any other as text, none as null.
pub(crate) fn request_value(method: &str, request: &RenderedRequest) -> Value {
    let headers: Map = request.headers().map(|(name, value)| (name.into(), Value::text(value))).collect();
    let cookies = request.header("Cookie").unwrap_or_default().split("; ");
    let cookies: Map = cookies
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.into(), Value::text(value)))
        .collect();
    let is_json = request.header("Content-Type").is_some_and(|kind| kind.contains("json"));
    let text = |bytes| Value::text(&String::from_utf8_lossy(bytes));
    let body = match request.body() {
        None => Value::Null,
        Some(bytes) if is_json => with_scratch(bytes, |body| match body {
            ParsedBody::Json(nodes) => TapeRef::root(nodes).operand().to_value(),
            ParsedBody::Text(_) => text(bytes),
        }),
        Some(_) => text(&request.body_shown()),
    };
    let scheme = if request.origin().https { "https" } else { "http" };
    let url = format!("{scheme}://{}{}", request.origin().authority(), request.target());
    Value::Map(Map::from([
        ("method".into(), Value::text(method)),
        ("url".into(), Value::text(&url)),
        ("headers".into(), Value::Map(headers)),
        ("cookies".into(), Value::Map(cookies)),
        ("body".into(), body),
    ]))
}
