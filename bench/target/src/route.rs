//! What a request target asks for.

use crate::{bucket::RATE_MAX, queue::MEAN_US_MAX};

/// The longest delay: ten minutes, longer than any timeout a run would set.
const DELAY_MS_MAX: u64 = 600_000;
/// The longest body made to order; a client that keeps bodies keeps no more by default.
pub(crate) const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The largest chunk: a chunk is made in memory before it is sent.
const CHUNK_BYTES_MAX: u64 = 1024 * 1024;
/// The chunk size where none is given.
const CHUNK_BYTES_DEFAULT: u64 = 4096;
/// The longest header value: beyond every limit a client has.
const HEADER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// More redirects in a row than any client follows.
const REDIRECTS_MAX: u64 = 100;

/// Everything a target asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order<'a> {
    pub(crate) what: What<'a>,
    pub(crate) status: Option<u16>,
    pub(crate) delay_ms: u64,
    /// The bucket a token is taken from, by its rate.
    pub(crate) limit: Option<u32>,
    /// The queue to stand in, by its mean service time.
    pub(crate) queue_us: Option<u32>,
    /// Note when it arrived.
    pub(crate) stamp: bool,
    /// A body of so many bytes in place of the usual one.
    pub(crate) bytes: Option<u64>,
    /// The body in chunks of so many bytes.
    pub(crate) chunk: Option<u64>,
    /// Close with this answer of the connection.
    pub(crate) close_after: Option<u64>,
    /// Say so in the answer that closes.
    pub(crate) announce: bool,
}

/// The kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What<'a> {
    Hello(&'a str),
    Api,
    Echo,
    Status,
    /// So many more redirects.
    Redirect(u64),
    /// `name/value`, or nothing.
    SetCookie(&'a str),
    BigHeader(u64),
    Stats,
    Stamps,
    Reset,
    Drop,
    Half(u64),
    Garbage,
    Hang,
    Missing,
}

/// A number of the target is none, or out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be a whole number from {min} to {max}")]
pub(crate) struct BadNumber {
    name: &'static str,
    min: u64,
    max: u64,
}

/// Reads a request target in origin form (RFC 9112 section 3.2.1).
pub(crate) fn order(target: &str) -> Result<Order<'_>, BadNumber> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut order = Order {
        what: What::Missing,
        status: None,
        delay_ms: 0,
        limit: None,
        queue_us: None,
        stamp: false,
        bytes: None,
        chunk: None,
        close_after: None,
        announce: true,
    };
    order.read_path(path)?;
    if !query.is_empty() {
        order.read_query(query)?;
    }
    Ok(order)
}

impl<'a> Order<'a> {
    fn read_path(&mut self, mut path: &'a str) -> Result<(), BadNumber> {
        loop {
            let (name, rest) = segment(path);
            let (argument, behind) = segment(rest);
            self.what = match name {
                "hello" => What::Hello(rest.strip_prefix('/').unwrap_or("world")),
                "" | "api" => What::Api,
                "delay" => {
                    self.delay_ms = delay_ms(argument)?;
                    path = behind;
                    continue;
                }
                "limit" => {
                    self.limit = Some(limit(argument)?);
                    path = behind;
                    continue;
                }
                "queue" => {
                    self.queue_us = Some(queue_us(argument)?);
                    path = behind;
                    continue;
                }
                "stamp" => {
                    self.stamp = true;
                    path = rest;
                    continue;
                }
                "close-after" => {
                    self.close_after = Some(close_after(argument)?);
                    path = behind;
                    continue;
                }
                "close" => {
                    self.close_after = Some(1);
                    What::Api
                }
                "echo" => What::Echo,
                "status" => {
                    self.status = Some(status(argument)?);
                    What::Status
                }
                "bytes" => {
                    self.bytes = Some(body_bytes(argument)?);
                    What::Api
                }
                "chunked" => {
                    self.bytes = Some(body_bytes(argument)?);
                    let (size, _) = segment(behind);
                    self.chunk = Some(if size.is_empty() { CHUNK_BYTES_DEFAULT } else { chunk_bytes(size)? });
                    What::Api
                }
                "redirect" if argument.is_empty() => What::Redirect(0),
                "redirect" => What::Redirect(number("the count of redirects", argument, 0, REDIRECTS_MAX)?),
                "setcookie" => What::SetCookie(rest.strip_prefix('/').unwrap_or_default()),
                "big-header" => What::BigHeader(number("the header's bytes", argument, 0, HEADER_BYTES_MAX)?),
                "reset" => What::Reset,
                "drop" => What::Drop,
                "half" => What::Half(body_bytes(argument)?),
                "garbage" => What::Garbage,
                "hang" => What::Hang,
                "__stats" => What::Stats,
                "__stamps" => What::Stamps,
                _ => What::Missing,
            };
            return Ok(());
        }
    }

    /// Names that are not ours belong to the test case and are let pass.
    fn read_query(&mut self, query: &str) -> Result<(), BadNumber> {
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                "delay_ms" => self.delay_ms = delay_ms(value)?,
                "status" => self.status = Some(status(value)?),
                "bytes" => self.bytes = Some(body_bytes(value)?),
                "chunk" => self.chunk = Some(chunk_bytes(value)?),
                "close_after" => self.close_after = Some(close_after(value)?),
                "announce" => self.announce = number("announce", value, 0, 1)? == 1,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The first segment of a path and the rest, which begins with a slash or is empty.
fn segment(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_at(path.find('/').unwrap_or(path.len()))
}

fn delay_ms(text: &str) -> Result<u64, BadNumber> {
    number("the delay in milliseconds", text, 0, DELAY_MS_MAX)
}

fn limit(text: &str) -> Result<u32, BadNumber> {
    number("the limit in requests a second", text, 1, u64::from(RATE_MAX)).map(|rate| rate as u32)
}

fn queue_us(text: &str) -> Result<u32, BadNumber> {
    number("the mean service time in microseconds", text, 1, u64::from(MEAN_US_MAX)).map(|mean_us| mean_us as u32)
}

/// Interim statuses are left out: they would not be the answer.
fn status(text: &str) -> Result<u16, BadNumber> {
    number("the status", text, 200, 599).map(|code| code as u16)
}

fn body_bytes(text: &str) -> Result<u64, BadNumber> {
    number("the body's bytes", text, 0, BODY_BYTES_MAX)
}

fn chunk_bytes(text: &str) -> Result<u64, BadNumber> {
    number("the chunk's bytes", text, 1, CHUNK_BYTES_MAX)
}

fn close_after(text: &str) -> Result<u64, BadNumber> {
    number("the count of answers before the close", text, 1, u64::from(u32::MAX))
}

fn number(name: &'static str, text: &str, min: u64, max: u64) -> Result<u64, BadNumber> {
    match text.parse() {
        Ok(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(BadNumber { name, min, max }),
    }
}

#[cfg(test)]
mod tests {
    use super::{order, Order, What};

    const PLAIN: Order<'_> = Order {
        what: What::Api,
        status: None,
        delay_ms: 0,
        limit: None,
        queue_us: None,
        stamp: false,
        bytes: None,
        chunk: None,
        close_after: None,
        announce: true,
    };

    #[test]
    fn paths_of_the_demo() {
        assert_eq!(order("/hello/yang").unwrap(), Order { what: What::Hello("yang"), ..PLAIN });
        assert_eq!(order("/hello").unwrap(), Order { what: What::Hello("world"), ..PLAIN });
        assert_eq!(order("/").unwrap(), PLAIN);
        assert_eq!(order("/api/v1/users?page=2").unwrap(), PLAIN);
        assert_eq!(order("/nothing").unwrap().what, What::Missing);
        assert_eq!(order("*").unwrap().what, What::Missing);
    }

    #[test]
    fn prefixes_apply_to_the_rest_of_the_path() {
        let expected = Order { what: What::Hello("a/b"), delay_ms: 20, close_after: Some(3), ..PLAIN };
        assert_eq!(order("/delay/20/close-after/3/hello/a/b").unwrap(), expected);
        assert_eq!(order("/delay/20").unwrap(), Order { delay_ms: 20, ..PLAIN });
        let expected = Order { limit: Some(1000), queue_us: Some(50), stamp: true, bytes: Some(7), ..PLAIN };
        assert_eq!(order("/stamp/limit/1000/queue/50/bytes/7").unwrap(), expected);
        assert_eq!(order("/stamp").unwrap(), Order { stamp: true, ..PLAIN });
        assert_eq!(order("/__stamps").unwrap().what, What::Stamps);
    }

    #[test]
    fn bodies_to_order() {
        assert_eq!(order("/bytes/7").unwrap(), Order { bytes: Some(7), ..PLAIN });
        assert_eq!(order("/chunked/7").unwrap(), Order { bytes: Some(7), chunk: Some(4096), ..PLAIN });
        assert_eq!(order("/chunked/7/2").unwrap(), Order { bytes: Some(7), chunk: Some(2), ..PLAIN });
    }

    #[test]
    fn parameters_of_the_query() {
        let expected = Order {
            status: Some(503),
            delay_ms: 5,
            bytes: Some(9),
            chunk: Some(3),
            close_after: Some(2),
            announce: false,
            ..PLAIN
        };
        let target = "/api?x=1&status=503&delay_ms=5&bytes=9&chunk=3&close_after=2&announce=0";
        assert_eq!(order(target).unwrap(), expected);
    }

    #[test]
    fn numbers_out_of_bounds_say_what_is_in_bounds() {
        let text = |target| order(target).unwrap_err().to_string();
        assert_eq!(text("/status/99"), "the status must be a whole number from 200 to 599");
        assert_eq!(text("/delay/soon"), "the delay in milliseconds must be a whole number from 0 to 600000");
        assert_eq!(text("/limit/0/api"), "the limit in requests a second must be a whole number from 1 to 10000000");
        assert_eq!(
            text("/queue/1000001/api"),
            "the mean service time in microseconds must be a whole number from 1 to 1000000"
        );
        assert_eq!(text("/bytes/67108865"), "the body's bytes must be a whole number from 0 to 67108864");
        assert_eq!(text("/api?chunk=0"), "the chunk's bytes must be a whole number from 1 to 1048576");
    }
}
