//! Nothing in a file makes the loader panic or hang.

use std::io::Write;

use proptest::prelude::*;
use pummel_case::{load, parse_env_file, LoadOptions, RenderedRequest, Session, Step};

fn load_bytes(bytes: &[u8], extension: &str) {
    let name = format!("pummel-case-arbitrary-{}-{:?}.{extension}", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name.replace(['(', ')'], ""));
    std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
    let loaded = load(std::slice::from_ref(&path), &LoadOptions::default());
    let _ = std::fs::remove_file(&path);
    match loaded {
        Ok(loaded) => {
            for case in &loaded.cases {
                let mut session = Session::new();
                session.begin(case);
                for step in &case.steps {
                    if let Step::Request(step) = step {
                        let _ = step.render(&mut session, &mut RenderedRequest::default());
                    }
                }
            }
        }
        Err(error) => assert!(!error.diagnostics().is_empty() && error.exit_code() > 0),
    }
}

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
        load_bytes(&bytes, "yml");
        load_bytes(&bytes, "json");
        let _ = parse_env_file(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_text_of_likely_words(text in likely_text()) {
        load_bytes(text.as_bytes(), "yml");
        load_bytes(text.as_bytes(), "json");
    }

    #[test]
    fn cases_with_arbitrary_values(text in shaped()) {
        load_bytes(text.as_bytes(), "json");
        load_bytes(text.as_bytes(), "yml");
    }
}
