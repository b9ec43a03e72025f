//! Each sample case, broken as people break cases: a slip in a key, a name, a bracket, an indentation, a type, a path. The first
//! line of what is said, its place and the exit code are what tells them what to mend.

#[path = "common/copied.rs"]
mod copied;
#[path = "common/load.rs"]
mod load;

use std::{fs, path::Path, process::Command};

use copied::{copy_to_server, ORIGIN};
use load::{binary, Folder};

/// The sample cases, with what they refer to.
const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/case/tests/cases");

/// A text of the file, what stands there instead, the exit code of `boom`, and the first error, or warning where there is none.
type Slip = (&'static str, &'static str, i32, &'static str);

/// Three slips in each sample. What hrp goes on with is a warning and exit code 0 (hrp spec 22.0: an unknown key is never fatal).
const SLIPS: [(&str, [Slip; 3]); 21] = [
    (
        "01_minimal.yml",
        [
            ("request:", "requests:", 15, "01_minimal.yml:4:3: the case has no step that does anything"),
            ("teststeps", "test_steps", 15, "01_minimal.yml:2:1: invalid case format: teststeps is missing"),
            ("method: GET", "method: GET /get", 15, "01_minimal.yml:5:21: the method is not a single word"),
        ],
    ),
    (
        "02_minimal.json",
        [
            ("\"expect\": 200,", "\"expect\": 200", 11, "02_minimal.json:3:76: broken JSON: a comma or } is expected here"),
            ("\"assert\": \"equals\"", "\"assert\": \"equal_to\"", 15, "02_minimal.json:3:52: unknown assert \"equal_to\""),
            ("\"method\": \"POST\"", "\"method\": 1", 11, "02_minimal.json:2:55: request.method must be text, not a number"),
        ],
    ),
    (
        "03_validators_pass.yml",
        [
            ("- less_than:", "- less_then:", 15, "03_validators_pass.yml:19:5: unknown assert \"less_then\""),
            ("200, \"list form with message\"]", "200, \"list form\", with message]", 15, "03_validators_pass.yml:9:9: \"eq\" takes check, expect and at most a message"),
            ("cnt: \"length(body.l)\"}", "cnt: \"lenght(body.l)\"}", 0, "03_validators_pass.yml:6:64: \"lenght(body.l)\" is used as text: JMESPath has no function lenght"),
        ],
    ),
    (
        "05_expressions.yml",
        [
            ("${md5(abc)}", "${mb5(abc)}", 23, "05_expressions.yml:5:117: function mb5 is not found"),
            ("e4: \"v=$a\"", "e4: \"v=$e4\"", 24, "05_expressions.yml:5:56: variable e4 refers to itself"),
            ("${max($a, $c)}", "${max($a)}", 22, "05_expressions.yml:5:72: call function max failed: it takes 2 arguments, not 1"),
        ],
    ),
    (
        "07_precedence.yml",
        [
            ("variables: {x: step, y: \"$y\"", "variables: {x: $z, y: \"$y\"", 24, "07_precedence.yml:9:15: variables refer to each other in a circle: x -> z -> x"),
            ("- name: two\n  request", "- name: two\n request", 12, "07_precedence.yml:22:2: broken YAML: while parsing a block mapping, did not find expected key"),
            ("$newvar}}\n", "$newvra}}\n", 21, "07_precedence.yml:22:58: variable newvra not found: nothing before this place defines it"),
        ],
    ),
    (
        "08_extract.yml",
        [
            ("{tok: body.args.token}", "[tok: body.args.token]", 12, "08_extract.yml:14:12: extract must be a map, not a list"),
            ("contains: [body, Sign Out]", "contains: body", 15, "08_extract.yml:11:46: \"contains\" takes a list of check and expect, not text"),
            ("extract: {i: body.i,", "extract: {i: bdy.i,", 0, "08_extract.yml:6:16: \"bdy.i\" is used as text: it begins with no part of the response"),
        ],
    ),
    (
        "09_bodies.yml",
        [
            ("body: [1, \"$s\"]", "body: [1, \"$s\"", 12, "09_bodies.yml:17:56: broken YAML: while parsing a flow sequence, expected ',' or ']'"),
            ("headers: {Content-Type: application/x-www-form-urlencoded}", "headers: Content-Type", 12, "09_bodies.yml:11:51: request.headers must be a map, not text"),
            ("body: raw, json", "body: raw, body", 12, "09_bodies.yml:20:53: broken YAML: the key \"body\" stands twice in this map"),
        ],
    ),
    (
        "10_upload.yml",
        [
            ("@data/up.txt\", t", "@data/upp.txt\", t", 10, "10_upload.yml:5:58: upload file1: data/upp.txt: there is no such file"),
            ("upload: {file1:", "uplaod: {file1:", 0, "10_upload.yml:5:42: unknown key \"uplaod\" in request is ignored"),
            ("method: POST", "methd: POST", 15, "10_upload.yml:5:12: the request has no method"),
        ],
    ),
    (
        "11_headers_cookies.yml",
        [
            ("cookies: {c1: \"$who\"}", "cookies: [c1]", 12, "11_headers_cookies.yml:5:104: request.cookies must be a map, not a list"),
            ("allow_redirects: false", "allow_redirects: never", 12, "11_headers_cookies.yml:18:65: request.allow_redirects must be true or false, not text"),
            ("headers: {X-A: step", "headers: {\"X A\": step", 15, "11_headers_cookies.yml:5:53: \"X A\" is no header name: it holds a character that none has"),
        ],
    ),
    (
        "12_urls.yml",
        [
            ("- {name: dots, request: {", "- {name: dots, {request: {", 12, "12_urls.yml:9:16: broken YAML: a list or map cannot be a key"),
            ("url: /a.json", "url: [/a.json]", 12, "12_urls.yml:5:44: request.url must be text, not a list"),
            ("http://127.0.0.1:18999/get", "htp://127.0.0.1:18999/get", 15, "12_urls.yml:8:48: request url: the scheme must be http or https"),
        ],
    ),
    (
        "13_parameters.yml",
        [
            ("data/account.csv", "data/acount.csv", 14, "13_parameters.yml:8:24: call function parameterize failed: the CSV file does not exist: not in the working directory, the project's root, the case's folder (data/acount.csv)"),
            ("username-password", "username-passwd", 15, "13_parameters.yml:8:22: row 1 of the parameters \"username-passwd\" has no passwd"),
            ("{pick_order: sequential}", "{pick_order: sequence}", 0, "13_parameters.yml:9:36: unknown pick_order \"sequence\": rows are taken in sequence"),
        ],
    ),
    (
        "13b_parameters_limit.yml",
        [
            ("limit: 4", "limit: four", 12, "13b_parameters_limit.yml:6:51: parameters_setting.limit must be a whole number, not text"),
            ("[iOS, Android]", "[[iOS, Android]]", 15, "13b_parameters_limit.yml:5:20: row 1 of the parameters \"ua\" has 2 values for 1 name"),
            ("{ua: {name", "{uaa: {name", 0, "13b_parameters_limit.yml:6:67: there are no parameters \"uaa\" for this strategy"),
        ],
    ),
    (
        "14_api_ref.yml",
        [
            ("api: api/get.yml", "api: api/gte.yml", 17, "14_api_ref.yml:5:8: the referenced file \"api/gte.yml\" does not exist"),
            ("api: api/get.yml", "aip: api/get.yml", 0, "14_api_ref.yml:4:3: this step is skipped: it has no request, api, testcase, think_time, transaction, rendezvous or websocket"),
            ("$fromapi", "$fromAPI", 21, "14_api_ref.yml:10:51: variable fromAPI not found: nothing before this place defines it"),
        ],
    ),
    (
        "15_testcase_ref.yml",
        [
            ("inner/login.yml", "inner/", 16, "15_testcase_ref.yml:4:27: inner: the extension is not .yml, .yaml or .json"),
            ("inner/login.yml", "15_testcase_ref.yml", 15, "15_testcase_ref.yml:4:3: the case refers to itself: 15_testcase_ref.yml -> 15_testcase_ref.yml"),
            ("export: [hidden]", "export: hidden", 12, "15_testcase_ref.yml:4:52: export must be a list, not text"),
        ],
    ),
    (
        "16_transactions.yml",
        [
            ("type: start", "type: begin", 15, "16_transactions.yml:5:50: transaction.type must be start or end"),
            ("{name: t1, type: end}", "{type: end}", 15, "16_transactions.yml:7:34: the transaction has no name"),
            ("status_code, 200]", "status_code 200]", 15, "16_transactions.yml:9:80: \"eq\" takes check, expect and at most a message"),
        ],
    ),
    (
        "17_rendezvous.yml",
        [
            ("number: 4", "number: four", 12, "17_rendezvous.yml:4:47: rendezvous.number must be a whole number, not text"),
            ("rendezvous: {", "rendevous: {", 0, "17_rendezvous.yml:4:3: this step is skipped: it has no request, api, testcase, think_time, transaction, rendezvous or websocket"),
            ("timeout: 2000", "timeout: 2s", 12, "17_rendezvous.yml:4:59: rendezvous.timeout must be a whole number, not text"),
        ],
    ),
    (
        "18_think_time.yml",
        [
            ("time: 1}", "time: 1s}", 12, "18_think_time.yml:5:32: think_time.time must be a number, not text"),
            ("strategy: multiply", "strategy: multiple", 0, "18_think_time.yml:2:35: unknown think time strategy \"multiple\": think times are taken as written"),
            ("limit: 0.3", "limits: 0.3", 0, "18_think_time.yml:2:68: unknown key \"limits\" in config.think_time is ignored"),
        ],
    ),
    (
        "19_loops.yml",
        [
            ("loops: 3", "loops: three", 12, "19_loops.yml:4:22: loops must be a whole number, not text"),
            ("loops: 3", "loops: 99999999", 15, "19_loops.yml:4:22: loops must be at most 1000000"),
            ("loops: 3", "loop: 3", 0, "19_loops.yml:4:15: unknown key \"loop\" in a step is ignored"),
        ],
    ),
    (
        "22_cookie_isolation.yml",
        [
            ("gen_random_string(8)", "gen_random_string(eight)", 22, "22_cookie_isolation.yml:5:19: call function gen_random_string failed: argument 1 must be a whole number, not text"),
            ("cookies.sid}", "cookie.sid}", 0, "22_cookie_isolation.yml:7:19: \"cookie.sid\" is used as text: it begins with no part of the response"),
            ("think_time: {time: 0.05}", "think_time: 0.05", 12, "22_cookie_isolation.yml:8:29: think_time must be a map, not a number"),
        ],
    ),
    (
        "29_dollar_data.yml",
        [
            ("{v: $v}", "{v: $w}", 21, "29_dollar_data.yml:5:65: variable w not found: nothing before this place defines it"),
            ("startswith", "starts_with", 15, "29_dollar_data.yml:5:84: unknown assert \"starts_with\""),
            ("- {name: later", "-{name: later", 12, "29_dollar_data.yml:5:23: broken YAML: mapping values are not allowed in this context"),
        ],
    ),
    (
        "31_functions.yml",
        [
            ("${random_int(10)}", "${random_int()}", 22, "31_functions.yml:5:43: call function random_int failed: it takes 1 argument, not 0"),
            ("${no_such_fn(1)}", "${md5(\\\"a\\\")}", 0, "31_functions.yml:15:51: the function md5 is not called here: this stays text"),
            ("\"a,b,c\"", "\"a,b,c", 12, "31_functions.yml:5:19: broken YAML: invalid trailing content after double-quoted scalar"),
        ],
    ),
];

/// The samples that are said to be odd before anything is broken in them.
const ODD: [(&str, &str); 1] = [("08_extract.yml", "\"content.z\" is used as text")];

/// What `boom` says of a sample: its exit code, errors, warnings. Where it starts, every request is refused.
fn said(folder: &Folder, file: &str) -> (i32, Vec<String>, Vec<String>) {
    let output = Command::new(binary())
        .current_dir(folder.path())
        .args(["boom", file, "--loop-count", "1", "--disable-console-output", "--base-url", "http://127.0.0.1:1"])
        .output()
        .expect("the binary starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let odd = |line: &str| ODD.iter().any(|(sample, text)| *sample == file && line.contains(text));
    let marked = |mark: &str| -> Vec<String> {
        stderr.lines().filter_map(|line| line.strip_prefix(mark)).filter(|line| !odd(line)).map(str::to_owned).collect()
    };
    (output.status.code().unwrap_or(-1), marked("  x "), marked("  ! "))
}

#[test]
fn each_slip_is_named_with_its_place() {
    let folder = Folder::new();
    copy_to_server(Path::new(SAMPLES), folder.path(), ORIGIN);
    let mut wrong = Vec::new();
    for (file, slips) in SLIPS {
        let whole = fs::read_to_string(folder.path().join(file)).expect("a sample");
        for (text, slip, code, line) in slips {
            assert!(whole.contains(text), "{file} has no {text:?}");
            folder.write(file, &whole.replacen(text, slip, 1));
            let (found, errors, warnings) = said(&folder, file);
            let first = errors.first().or(warnings.first()).cloned().unwrap_or_default();
            if (found, &*first) != (code, line) {
                wrong.push(format!("{file}: {text:?} -> {slip:?}:\n  {found} {first}\n  not\n  {code} {line}"));
            }
        }
        folder.write(file, &whole);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One mistake is one error: nothing is said of what only follows from it.
#[test]
fn what_follows_from_a_mistake_is_not_another() {
    let folder = Folder::new();
    copy_to_server(Path::new(SAMPLES), folder.path(), ORIGIN);
    for (file, text, slip) in [
        ("05_expressions.yml", "${max($a, $c)}", "${max($a)}"),
        ("07_precedence.yml", "variables: {x: step", "variables: {x: $z"),
        ("13_parameters.yml", "data/account.csv", "data/acount.csv"),
        ("13b_parameters_limit.yml", "[iOS, Android]", "[[iOS, Android]]"),
        ("14_api_ref.yml", "- {name: \"\", api: api/get.yml}", "- {name: \"\", api: api/gte.yml}"),
        ("15_testcase_ref.yml", "inner/login.yml", "inner/logn.yml"),
        ("22_cookie_isolation.yml", "gen_random_string(8)", "gen_random_string(eight)"),
    ] {
        let whole = fs::read_to_string(folder.path().join(file)).expect("a sample");
        folder.write(file, &whole.replacen(text, slip, 1));
        let (code, errors, warnings) = said(&folder, file);
        assert!((10..=24).contains(&code), "{file}: {code}");
        assert_eq!((errors.len(), warnings.len()), (1, 0), "{file}: {errors:?} {warnings:?}");
    }
}
