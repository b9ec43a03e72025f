//! Reading typical responses and writing typical requests.

use divan::counter::{BytesCount, ItemsCount};
use divan::{black_box, Bencher};
use pummel_http::{
    encode_request, EncodeOptions, Keep, Limits, Progress, RequestParser, RequestProgress, Response, ResponseParser,
};

/// What nginx sends for a small JSON document, 201 bytes.
const JSON: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\n\
    Content-Type: application/json\r\nContent-Length: 47\r\nConnection: keep-alive\r\n\r\n\
    {\"code\":0,\"token\":\"0123456789abcdef\",\"ok\":true}";

/// The same document as an application server streams it.
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\n\
    Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n\
    1c\r\n{\"code\":0,\"token\":\"012345678\r\n12\r\n9abcdef\",\"ok\":true\r\n1\r\n}\r\n0\r\n\r\n";

const GET: &[u8] =
    b"GET /api/items?page=3 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: pummel/0.1\r\nAccept: */*\r\n\r\n";

fn main() {
    divan::main();
}

fn read(bencher: Bencher<'_, '_>, bytes: &'static [u8], keep: Keep) {
    let mut parser = ResponseParser::new(Limits::default());
    let mut response = Response::default();
    bencher.counter(ItemsCount::new(1_usize)).counter(BytesCount::of_slice(bytes)).bench_local(|| {
        parser.begin(false, keep);
        let progress = parser.feed(black_box(bytes), &mut response);
        assert_eq!(progress, Ok(Progress::Complete { consumed: bytes.len() }));
        response.body_bytes
    });
}

#[divan::bench]
fn response_json_counted(bencher: Bencher<'_, '_>) {
    read(bencher, JSON, Keep::NOTHING);
}

#[divan::bench]
fn response_json_kept(bencher: Bencher<'_, '_>) {
    read(bencher, JSON, Keep::ALL);
}

#[divan::bench]
fn response_chunked_counted(bencher: Bencher<'_, '_>) {
    read(bencher, CHUNKED, Keep::NOTHING);
}

#[divan::bench]
fn response_chunked_kept(bencher: Bencher<'_, '_>) {
    read(bencher, CHUNKED, Keep::ALL);
}

/// What cannot be done without: the share of httparse in the figures above.
#[divan::bench]
fn response_json_httparse_alone(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut parsed = httparse::Response::new(&mut headers);
        parsed.parse(black_box(JSON)).map(httparse::Status::unwrap)
    });
}

#[divan::bench]
fn request_parse_get(bencher: Bencher<'_, '_>) {
    let mut parser = RequestParser::new(Limits::default(), false);
    bencher.counter(ItemsCount::new(1_usize)).counter(BytesCount::of_slice(GET)).bench_local(|| {
        match parser.feed(black_box(GET)) {
            Ok(RequestProgress::Complete { consumed, .. }) => consumed,
            other => panic!("{other:?}"),
        }
    });
}

fn encode(bencher: Bencher<'_, '_>, method: &str, headers: &[(&str, &str)], body: Option<&[u8]>) {
    let mut out = Vec::with_capacity(1024);
    let options = EncodeOptions { user_agent: "pummel/0.1", ..EncodeOptions::default() };
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        out.clear();
        let headers = black_box(headers).iter().copied();
        encode_request(&mut out, method, black_box("/api/items?page=3"), "127.0.0.1:8080", headers, body, options)
            .expect("a valid request");
        out.len()
    });
}

#[divan::bench]
fn request_encode_get(bencher: Bencher<'_, '_>) {
    encode(bencher, "GET", &[("Accept", "*/*"), ("X-Token", "0123456789abcdef")], None);
}

#[divan::bench]
fn request_encode_post(bencher: Bencher<'_, '_>) {
    let headers = [("Accept", "*/*"), ("Content-Type", "application/json; charset=utf-8")];
    encode(bencher, "POST", &headers, Some(br#"{"name":"item","count":3}"#));
}
