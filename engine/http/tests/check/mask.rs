//! What must hold of masking, for any text whatever.

use pummel_http::{mask_exchange, ExchangeText, MessageText};

/// A secret no other text holds.
pub(crate) const PLANTED: &str = "PlantedSecret0123";

/// Ways to write a secret behind any text whatever.
const WAYS: [&str; 8] = [
    "{\"password\":\"PlantedSecret0123\"}",
    "\"access_token\" : PlantedSecret0123}",
    "\"secrets\":[{\"a\":\"PlantedSecret0123\"",
    "&client_secret=PlantedSecret0123&b=1",
    "?api%5Fkey=PlantedSecret0123 HTTP/1.1",
    "\nAuthorization: Bearer PlantedSecret0123\n",
    "\nset-cookie: a=PlantedSecret0123; Path=/\r\n",
    "{\"log\":\"{\\\"token\\\": \\\"PlantedSecret0123\\\"}\"}",
];

/// Checks one input: any bytes, as they stand in a head, a body and a message.
///
/// # Panics
/// Where masking breaks a promise.
pub(crate) fn mask(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let half = text.floor_char_boundary(text.len() / 2);
    let exchange = ExchangeText {
        request: MessageText { head: text[..half].to_owned(), body: text.clone() },
        response: Some(MessageText { head: text[half..].to_owned(), body: text.clone() }),
        message: text.clone(),
    };
    let mut masked = exchange.clone();
    mask_exchange(&mut masked);
    if names_a_secret(&text) {
        return;
    }
    if !text.contains(['%', '\\', '@']) {
        assert_eq!(masked, exchange, "nothing is secret");
    }
    for way in WAYS {
        let mut planted = exchange.clone();
        planted.request.body.push_str(way);
        planted.message.push_str(PLANTED);
        mask_exchange(&mut planted);
        assert!(!planted.request.body.contains(PLANTED), "{:?}", planted.request.body);
        assert!(!planted.message.contains(PLANTED), "{:?}", planted.message);
    }
}

/// As it is written. A text that names a secret and breaks off may take what stands behind it for part of that.
fn names_a_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let words = [
        "token",
        "secret",
        "passw",
        "pwd",
        "passphrase",
        "api",
        "private",
        "signature",
        "jwt",
        "session",
        "credential",
        "authorization",
        "cookie",
    ];
    words.iter().any(|word| text.contains(word))
}
