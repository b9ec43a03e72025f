//! A request and its response as text (`--log-requests`).

use std::fmt::Write;

use pummel_engine::ExchangeRecord;
use pummel_stats::display::text::one_line;

use super::body::{shown, ShownBody};

/// The most bytes of a body that are shown: more scrolls everything else away.
const BODY_SHOWN_BYTES: usize = 64 << 10;

/// The most characters of a line.
const LINE_CHARS_MAX: usize = 16 << 10;

/// Both, under their step.
pub(super) fn dump(exchange: &ExchangeRecord) -> String {
    let mut text = String::new();
    let first = format!("> {} {}", exchange.method, exchange.url);
    push_message(&mut text, &first, &exchange.request_headers, &exchange.request_body);
    match &exchange.response {
        Some(response) => {
            let first = match response.status {
                // A message on a websocket has none.
                0 => format!("< {}", response.version),
                status => format!("< {} {status}", response.version),
            };
            push_message(&mut text, &first, &response.headers, &response.body);
        }
        None => text.push_str("      < no response\n"),
    }
    text
}

fn push_message(text: &mut String, first: &str, headers: &[(String, String)], body: &[u8]) {
    push_line(text, 6, first);
    for (name, value) in headers {
        push_line(text, 8, &format!("{name}: {value}"));
    }
    let ShownBody { text: body, note } = shown(headers, body, 0, BODY_SHOWN_BYTES);
    if !body.is_empty() {
        text.push('\n');
        body.lines().for_each(|line| push_line(text, 8, line));
    }
    if let Some(note) = note {
        push_line(text, 8, &format!("({note})"));
    }
}

/// A line that cannot steer the terminal.
fn push_line(text: &mut String, indent: usize, line: &str) {
    // A tab would become one blank.
    let line = one_line(&line.replace('\t', "    "), LINE_CHARS_MAX);
    let _ = writeln!(text, "{:indent$}{line}", "");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functional::sample::exchange;

    #[test]
    fn both_messages_are_shown_and_cannot_steer_the_terminal() {
        let mut exchange = exchange();
        let expected = "      > POST http://127.0.0.1:80/login
        Content-Type: application/json
        Cookie: sid=1; lang=zh

        {
            \"user\": \"anna\",
            \"n\": [
                1,
                2.5
            ]
        }
      < HTTP/1.1 200
        content-type: application/json; charset=utf-8
        set-cookie: sid=2; Path=/
        set-cookie: seen=yes

        {
            \"html\": \"<script>alert(1)</script>\",
            \"ok\": true
        }
";
        assert_eq!(dump(&exchange), expected);
        exchange.response = None;
        exchange.request_headers[1].1 = "\u{1b}[2J\u{202e}".into();
        exchange.request_body = b"line\n\x1b]0;title\x07".to_vec();
        let text = dump(&exchange);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(text.contains("        ?]0;title?\n") && text.ends_with("      < no response\n"), "{text}");
    }

    #[test]
    fn a_large_body_is_bounded() {
        let mut exchange = exchange();
        exchange.response.as_mut().unwrap().body = vec![b'x'; 3 * BODY_SHOWN_BYTES];
        let text = dump(&exchange);
        assert!(text.len() < 2 * BODY_SHOWN_BYTES);
        assert!(text.contains("(131072 more bytes, not shown)"), "{}", &text[text.len() - 100..]);
    }
}
