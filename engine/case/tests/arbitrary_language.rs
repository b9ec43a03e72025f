//! No expression, CSV file or reference makes the loader, or a step, panic or hang.

mod check;

use proptest::prelude::*;

/// What expressions are made of.
fn expression() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "$",
        "$$",
        "${",
        "}",
        "(",
        ")",
        ",",
        "a",
        "$a",
        "${b}",
        "$v",
        "$own",
        "${max(1,2)}",
        "${md5(",
        "gen_random_string",
        "9",
        "-1",
        "1.5",
        " ",
        "@",
        ";type=",
        "=",
        "/",
        "?",
        "#",
        "%",
        "http://",
        "h",
        ":",
        "body.a",
        "[*]",
        "\"",
        "'",
        "\n",
        "中",
        ".",
        "&",
    ]);
    prop_oneof![prop::collection::vec(word, 0..10).prop_map(|words| words.concat()), "\\PC{0,20}"]
}

/// What CSV files are made of.
fn table() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a", "b", ",", "\n", "\r\n", "\"", "\"\"", " ", "1", "$a", "中", "\u{feff}", ";", "-",
    ]);
    prop::collection::vec(word, 0..30).prop_map(|words| words.concat())
}

/// Steps that refer to files, in any combination.
fn project() -> impl Strategy<Value = String> {
    let step = prop::sample::select(vec![
        "- {api: api.yml}\n",
        "- {api: other.yml}\n",
        "- {testcase: inner.yml}\n",
        "- {testcase: other.yml, export: [v], loops: 3}\n",
        "- {testcase: case.yml}\n",
        "- {variables: {a: $v}, api: api.yml, extract: {v: body.a}}\n",
        "- {request: {method: GET, url: \"/$v\"}}\n",
        "- {name: \"$v\", variables: {a: $a}, testcase: inner.yml}\n",
        "- {rendezvous: {name: r}}\n",
        "- {think_time: {time: 0}}\n",
        "- {api: none.yml}\n",
        "%%\n",
        "config: {name: c, base_url: http://h, variables: {a: 1}, export: [v]}\nteststeps:\n",
        "config: {name: c, base_url: http://h, setup_case: other.yml, parameters: {a: [1, 2]}}\nteststeps:\n",
    ]);
    let start = "config: {name: c, base_url: http://h, variables: {a: 1, v: 2}}\nteststeps:\n";
    prop::collection::vec(step, 0..10).prop_map(move |steps| start.to_owned() + &steps.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_expression_in_every_place(text in expression()) {
        check::expression(text.as_bytes());
    }

    #[test]
    fn any_csv_file(text in table(), bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        check::csv(text.as_bytes());
        check::csv(&bytes);
    }

    #[test]
    fn any_references(text in project()) {
        check::references(text.as_bytes());
    }
}
