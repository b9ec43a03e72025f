//! Nothing in a file makes the loader panic or hang.

mod check;

use proptest::prelude::*;
use pummel_case::parse_env_file;

/// Text made of what cases are made of, so that it gets past the parser often.
fn likely_text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "config",
        "teststeps",
        "request",
        "name",
        "variables",
        "validate",
        "extract",
        "url",
        "method",
        "GET",
        "body",
        "json",
        "http://h/",
        "$a",
        "${a}",
        "$$",
        "${f(1)}",
        "eq",
        "status_code",
        "body.a",
        "200",
        "null",
        "true",
        ": ",
        ", ",
        "\n",
        "\n- ",
        "  ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "&x",
        "*x",
        "<<",
        "|",
        ">",
        "!!str ",
        "#",
        "---",
        "\t",
        "中",
        "~",
        "? ",
        "%",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

/// Cases of the right shape with anything for their values.
fn shaped() -> impl Strategy<Value = String> {
    ("\\PC{0,20}", "\\PC{0,20}", "\\PC{0,20}", "\\PC{0,30}").prop_map(|(url, header, check, expect)| {
        let quote = |text: &str| serde_json::to_string(text).unwrap();
        format!(
            "{{\"config\":{{\"base_url\":\"http://h\",\"variables\":{{\"a\":{}}}}},\"teststeps\":[{{\"request\":{{\"method\":\"GET\",\
             \"url\":{},\"headers\":{{\"x\":{}}},\"json\":{{\"k\":{}}}}},\"extract\":{{\"b\":{}}},\"validate\":[{{\"eq\":[{},{}]}}]}}]}}",
            quote(&expect), quote(&url), quote(&header), quote(&expect), quote(&check), quote(&check), quote(&expect)
        )
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check::case_yaml(&bytes);
        check::case_json(&bytes);
        let _ = parse_env_file(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_text_of_likely_words(text in likely_text()) {
        check::case_yaml(text.as_bytes());
        check::case_json(text.as_bytes());
    }

    #[test]
    fn cases_with_arbitrary_values(text in shaped()) {
        check::case_json(text.as_bytes());
        check::case_yaml(text.as_bytes());
    }
}
