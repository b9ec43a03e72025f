//! Masking: no secret that is named gets through, and nothing else is lost.

#[allow(dead_code)]
mod check;

use check::mask::PLANTED;
use proptest::prelude::*;
use pummel_http::{mask_exchange, ExchangeText, MessageText};

/// Pieces of what bodies are made of, so that inputs come near to names and values.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => "[a-z{}\\[\\]\"':,=&?;%\\\\ \\n<>/@-]{0,6}",
        1 => prop::sample::select(&[
            "token", "password", "\"secret\":", "session=", "api-key: ", "\\\"token\\\":", "<token>", "</", "://a:b@",
            "Content-Disposition: form-data; name=\"password\"\r\n\r\n", "--b\r\n", "%22token%22", "null", "\u{e9}\u{4e00}",
        ][..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_named_is_masked_behind_any_text(text in text()) {
        check::mask::mask(text.as_bytes());
    }

    #[test]
    fn a_body_cut_anywhere_keeps_no_part_of_its_secret(from in 0..200_usize) {
        let bodies = [
            format!("{{\"user\":\"anna\",\"login\":{{\"password\":\"{PLANTED}\",\"n\":1}}}}"),
            format!("--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{PLANTED}\r\n--b--\r\n"),
            format!("<a><password>{PLANTED}</password></a>"),
            format!("a=1&password={PLANTED}&b=2"),
        ];
        for body in bodies {
            let cut = &body[..from.min(body.len())];
            let mut exchange = ExchangeText {
                request: MessageText { head: String::new(), body: cut.to_owned() },
                ..ExchangeText::default()
            };
            mask_exchange(&mut exchange);
            let masked = exchange.request.body;
            prop_assert!(!masked.contains(&PLANTED[..4]), "{masked:?}");
        }
    }
}

#[test]
fn it_takes_time_in_proportion_to_the_text() {
    // Quadratic, each of these would take minutes.
    for piece in [
        "\"",
        "'",
        "\\",
        "{\"token\":{",
        "a=",
        "a:",
        "?a=%",
        "<token",
        "token=",
        "\\\"",
        "\"token\":\\",
        "://a:",
        "\n-",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let mut exchange = ExchangeText { message: text, ..ExchangeText::default() };
        mask_exchange(&mut exchange);
    }
}
