//! A response as a value, for expressions that name it whole (hrp spec 7.8, 10.1).

use super::{cookies::for_each_cookie, ParsedBody, ResponseParts};
use crate::{
    request::canonical_name,
    value::{Map, TapeRef, Value},
};

/// `proto`, `status_code`, `headers` (of each name the first), `cookies` (of each name the last) and `body`.
pub(crate) fn response_value(response: &ResponseParts<'_>) -> Value {
    let mut headers = Map::new();
    response.headers.for_each(&mut |name, value| {
        let value = || Value::text(&String::from_utf8_lossy(value));
        headers.entry(canonical_name(name).into()).or_insert_with(value);
    });
    let mut cookies = Map::new();
    for_each_cookie(response.headers, &mut |name, value| {
        cookies.insert(name.into(), Value::text(value));
    });
    let body = match response.body {
        ParsedBody::Json(nodes) => TapeRef::root(nodes).operand().to_value(),
        ParsedBody::Text(text) => Value::text(text),
    };
    Value::Map(Map::from([
        ("proto".into(), Value::text(response.version)),
        ("status_code".into(), response.status_operand().to_value()),
        ("headers".into(), Value::Map(headers)),
        ("cookies".into(), Value::Map(cookies)),
        ("body".into(), body),
    ]))
}
