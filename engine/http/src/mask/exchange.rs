//! A request, its response and what is said of them.

use super::pairs::form_masked;
use super::scan::masked;
use super::secrets::Secrets;

/// An exchange as text. Heads are lines, the first of them the request's or the status line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeText {
    /// What was sent, or would have been.
    pub request: MessageText,
    /// What came; none where nothing did.
    pub response: Option<MessageText>,
    /// What was wrong.
    pub message: String,
}

/// One message as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageText {
    /// The first line and the header fields.
    pub head: String,
    /// The body, as far as it was kept.
    pub body: String,
}

/// Masks the secrets of an exchange: where they are named, and where the same values stand elsewhere in it.
pub fn mask_exchange(exchange: &mut ExchangeText) {
    let mut secrets = Secrets::default();
    let ExchangeText { request, response, message } = exchange;
    for part in [Some(&mut *request), response.as_mut()].into_iter().flatten() {
        let is_form = has_form(&part.head);
        part.head = masked(std::mem::take(&mut part.head), &mut secrets);
        let mut body = std::mem::take(&mut part.body);
        if is_form {
            body = form_masked(body, &mut secrets);
        }
        part.body = masked(body, &mut secrets);
    }
    *message = masked(std::mem::take(message), &mut secrets);
    secrets.sort();
    for part in [Some(request), response.as_mut()].into_iter().flatten() {
        secrets.take_out(&mut part.head);
        secrets.take_out(&mut part.body);
    }
    secrets.take_out(message);
}

/// A URL without its secrets, as it may be the name of something: values of query parameters, and the password before a host.
pub fn mask_url(url: &str) -> String {
    mask_text(url)
}

/// A text that belongs to no exchange that is known without the secrets it names, each also where it stands a second time.
pub fn mask_text(text: &str) -> String {
    let mut secrets = Secrets::default();
    let mut text = masked(text.to_owned(), &mut secrets);
    secrets.sort();
    secrets.take_out(&mut text);
    text
}

/// Whether a head announces a form (the URL standard, section 5).
fn has_form(head: &str) -> bool {
    head.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type")
            && value.trim_start().to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_secrets_and_nothing_else() {
        let plain = "http://h:8080/a/b?id=7&page=2";
        assert_eq!(mask_url(plain), plain);
        assert_eq!(mask_url("http://h/a?token=abcdef&page=2"), "http://h/a?token=***&page=2");
        assert_eq!(mask_url("http://me:hunter2@h/a"), "http://me:***@h/a");
    }

    #[test]
    fn texts_lose_what_they_name_wherever_it_stands() {
        let said = "ValueError: hunter2 is no password (password=hunter2 user=anna)";
        assert_eq!(mask_text(said), "ValueError: *** is no password (password=*** user=anna)");
        assert_eq!(mask_text("status_code eq 200"), "status_code eq 200");
    }

    #[test]
    fn a_value_is_masked_wherever_it_stands() {
        let mut exchange = ExchangeText {
            request: MessageText {
                head: "POST http://h/login?access_token=s3cr3t-1 HTTP/1.1\nAuthorization: Bearer s3cr3t-2\n\
                       Content-Type: application/x-www-form-urlencoded\n"
                    .into(),
                body: "user=anna&password=s3cr%203t&n=1".into(),
            },
            response: Some(MessageText {
                head: "HTTP/1.1 500 Oops\nSet-Cookie: sid=s3cr3t-4; Path=/some/where\nX-Seen: s3cr3t-2\n".into(),
                body: "no user with s3cr 3t, sid s3cr3t-4, path /some/where".into(),
            }),
            message: "got \"s3cr3t-1\" of s3cr%203t".into(),
        };
        mask_exchange(&mut exchange);
        assert_eq!(
            exchange.request.head,
            "POST http://h/login?access_token=*** HTTP/1.1\nAuthorization: ***\n\
             Content-Type: application/x-www-form-urlencoded\n"
        );
        assert_eq!(exchange.request.body, "user=anna&password=***&n=1");
        let response = exchange.response.unwrap();
        assert_eq!(response.head, "HTTP/1.1 500 Oops\nSet-Cookie: ***\nX-Seen: ***\n");
        assert_eq!(response.body, "no user with ***, sid ***, path /some/where");
        assert_eq!(exchange.message, "got \"***\" of ***");
    }

    #[test]
    fn values_too_short_to_be_told_apart_are_masked_where_they_are_named() {
        let mut exchange = ExchangeText {
            request: MessageText { head: "GET /a?token=get HTTP/1.1\nX: get\n".into(), body: String::new() },
            ..ExchangeText::default()
        };
        mask_exchange(&mut exchange);
        assert_eq!(exchange.request.head, "GET /a?token=*** HTTP/1.1\nX: get\n");
    }
}
