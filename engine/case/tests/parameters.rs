//! `parameters` and `parameters_setting` (hrp spec 7.6, 7.7).

mod folder;
mod support;
mod walk;

use folder::Folder;
use pummel_case::{Case, LoadOptions, Session};
use walk::iterate;

/// A case with this config whose only step posts `body`, and the bodies its first iterations send.
fn bodies(name: &str, config: &str, body: &str, iterations: u64) -> Vec<String> {
    let case = loaded(name, config, body).0;
    let mut session = Session::new();
    (0..iterations).map(|position| sent(&case, &mut session, position)).collect()
}

fn text(config: &str, body: &str) -> String {
    format!(
        "config:\n  base_url: http://h\n{config}teststeps:\n- {{request: {{method: POST, url: /, json: {body}}}}}\n"
    )
}

fn loaded(name: &str, config: &str, body: &str) -> (Case, Vec<String>) {
    Folder::new(name, &[("case.yml", &text(config, body))]).warnings("case.yml")
}

fn sent(case: &Case, session: &mut Session, position: u64) -> String {
    let mut request = pummel_case::RenderedRequest::default();
    iterate(case, session, position);
    let pummel_case::Step::Request(step) = &case.steps[0] else { panic!("a request") };
    let _ = step.render(session, &mut request, &mut pummel_case::Progress::default()).unwrap();
    String::from_utf8(request.body().unwrap().to_vec()).unwrap()
}

#[test]
fn every_form_of_rows_gives_the_same_columns() {
    for (n, rows) in
        ["[[1, a], [2, b]]", "[{u: 1, p: a, x: 0}, {p: b, u: 2}]", "$rows", "[$first, {u: 2, p: b}]"].iter().enumerate()
    {
        let config =
            format!("  variables: {{first: [1, a], rows: [{{u: 1, p: a}}, [2, b]]}}\n  parameters: {{u-p: {rows}}}\n");
        assert_eq!(
            bodies(&format!("forms-{n}"), &config, "[$u, $p]", 3),
            ["[1,\"a\"]", "[2,\"b\"]", "[1,\"a\"]"],
            "{rows}"
        );
    }
    let single = "  variables: {v: x}\n  parameters: {a: [1, \"2\", $v, [3], {a: 4}, null]}\n";
    assert_eq!(bodies("single", single, "[$a]", 6), ["[1]", "[\"2\"]", "[\"x\"]", "[3]", "[4]", "[null]"]);
}

#[test]
fn the_product_goes_in_file_order_with_the_last_key_fastest() {
    let config = "  parameters: {z: [1, 2], a-b: [[x, y], [u, v], [s, t]]}\n";
    let (case, warnings) = loaded("product", config, "[$z, $b]");
    let parameters = case.parameters.as_ref().unwrap();
    assert_eq!((warnings, parameters.runs(), parameters.unique()), (vec![], 6, false));
    let mut session = Session::new();
    let sent: Vec<_> = (0..7).map(|position| sent(&case, &mut session, position)).collect();
    let expected = ["[1,\"y\"]", "[1,\"v\"]", "[1,\"t\"]", "[2,\"y\"]", "[2,\"v\"]", "[2,\"t\"]", "[1,\"y\"]"];
    assert_eq!(sent, expected);
}

#[test]
fn settings_are_read() {
    let runs = |name: &str, setting: &str| {
        let config = format!("  parameters: {{a: [1, 2], b: [1, 2, 3]}}\n  parameters_setting: {setting}\n");
        let (case, warnings) = loaded(name, &config, "$a");
        let parameters = case.parameters.unwrap();
        (parameters.runs(), parameters.unique(), warnings)
    };
    assert_eq!(runs("s1", "{pick_order: sequential, limit: 4}"), (4, false, vec![]));
    assert_eq!(runs("s2", "{pick_order: random}"), (1, false, vec![]));
    assert_eq!(
        runs("s3", "{pick_order: random, strategies: {b: {name: x, pick_order: sequential}}}"),
        (3, false, vec![])
    );
    assert_eq!(runs("s4", "{strategies: {a: {pick_order: random}}}"), (3, false, vec![]));
    assert_eq!(runs("s5", "{pick_order: unique}"), (6, false, vec![]));
    assert_eq!(runs("s6", "{pick_order: unique, unique_rows: true}"), (6, true, vec![]));
    let at = |column: u32, message: &str| vec![format!("case.yml:4:{column}: {message}")];
    assert_eq!(
        runs("s7", "{limit: -1}"),
        (6, false, at(31, "parameters_setting.limit is below 0 and taken as 0, which is none"))
    );
    assert_eq!(
        runs("s8", "{pick_order: randm}"),
        (6, false, at(36, "unknown pick_order \"randm\": rows are taken in sequence"))
    );
    assert_eq!(
        runs("s9", "{unique_rows: true}"),
        (6, false, at(24, "unique_rows has no effect: no parameters have the pick_order unique"))
    );
    assert_eq!(
        runs("s10", "{strategies: {c: {}}}"),
        (6, false, at(37, "there are no parameters \"c\" for this strategy"))
    );
    assert_eq!(
        runs("s11", "{strategy: random}"),
        (6, false, at(24, "unknown key \"strategy\" in config.parameters_setting is ignored"))
    );
    let (case, warnings) = loaded("s12", "  parameters: {}\n  parameters_setting: {limit: 2}\n", "[1]");
    assert!(case.parameters.is_none());
    assert_eq!(warnings, ["case.yml:4:3: parameters_setting is ignored: there are no parameters"]);
}

#[test]
fn parameters_stand_between_extracted_values_and_the_config() {
    let text = "config: {base_url: \"http://h\", variables: {a: config, b: config}, parameters: {a: [row]}}\nteststeps:\n- {request: {method: GET, url: /$a/$b}, validate: [{eq: [body.path, /row/config]}], extract: {a: status_code}}\n- {request: {method: GET, url: /$a}, validate: [{eq: [body.path, /200]}]}\n- {variables: {a: step}, request: {method: GET, url: /$a}, validate: [{eq: [body.path, /step]}]}\n";
    let case = Folder::new("layers", &[("case.yml", text)]).case("case.yml");
    let mut session = Session::new();
    let records = iterate(&case, &mut session, 0);
    assert!(records.iter().all(|record| !record.contains(':') || record.contains("/$a")), "{records:?}");
    assert!(records.iter().all(|record| !record.contains("failed")), "{records:?}");
}

#[test]
fn values_of_rows_are_data() {
    // A dollar that a variable brings is never looked at again.
    let options = LoadOptions { variables: vec![("v".into(), "a$bc${f()}".into())], ..LoadOptions::default() };
    let folder = Folder::new("row-data", &[("case.yml", &text("  parameters: {p: [$v]}\n", "[$p]"))]);
    let case = folder.load("case.yml", &options).unwrap().cases.remove(0);
    assert_eq!(sent(&case, &mut Session::new(), 0), "[\"a$bc${f()}\"]");
}

#[test]
fn a_row_may_hold_what_is_checked() {
    let text = "config: {base_url: \"http://h\", parameters: {check-expect: [[status_code, 200], [headers.Content-Type, application/json], [plain, plain]]}}\nteststeps:\n- {request: {method: GET, url: /}, extract: {found: $check}, validate: [{eq: [$check, $expect]}, {eq: [$found, $expect]}]}\n";
    let case = Folder::new("checks", &[("case.yml", text)]).case("case.yml");
    for row in 0..3 {
        let records = iterate(&case, &mut Session::new(), row);
        assert!(records.iter().all(|record| !record.contains("failed")), "{records:?}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (n, (parameters, message, code)) in [
        ("{a: 1}", "3:19: the parameters \"a\" must be a list, or an expression that gives one", 15),
        ("{a: []}", "3:19: the parameters \"a\" have no row", 15),
        ("{a-b: [1]}", "3:21: row 1 of the parameters \"a-b\" is one value for 2 names", 15),
        ("{a-b: [[1, 2], [1]]}", "3:21: row 2 of the parameters \"a-b\" has 1 value for 2 names", 15),
        ("{a-b: [{a: 1}]}", "3:21: row 1 of the parameters \"a-b\" has no b", 15),
        ("{a: [$none]}", "3:20: variable none not found: nothing before this place defines it", 24),
        ("{a--b: [[1, 2, 3]]}", "3:16: \"\" in the parameters key \"a--b\" is no variable name", 15),
        ("{a b: [1]}", "3:16: \"a b\" in the parameters key \"a b\" is no variable name", 15),
        ("{a-a: [[1, 2]]}", "3:16: the parameters key \"a-a\" holds a twice", 15),
        ("[1]", "3:15: config.parameters must be a map, not a list", 12),
    ]
    .iter()
    .enumerate()
    {
        let folder =
            Folder::new(&format!("wrong-{n}"), &[("case.yml", &text(&format!("  parameters: {parameters}\n"), "1"))]);
        assert_eq!(folder.errors("case.yml"), (vec![format!("case.yml:{message}")], *code), "{parameters}");
    }
    let (_, warnings) = loaded("calls", "  parameters: {a: [\"${md5(x)}\", \"u${random_int(9)}\"]}\n", "$a");
    assert_eq!(
        warnings,
        ["case.yml:3:33: random_int is called once for this row: every iteration gets the same value"]
    );
    let (_, warnings) = loaded("twice", "  parameters: {a: [1], b-a: [[1, 2]]}\n", "$a");
    assert_eq!(warnings, ["case.yml:3:24: the parameter a is defined twice: this one counts"]);
}

#[test]
fn config_keys_for_a_whole_run() {
    let (case, warnings) =
        loaded("run-keys", "  case_timeout: 1.5\n  export: [x]\n  variables: {v: [1, \"$w\"], w: 2}\n", "[1]");
    assert_eq!((case.case_timeout, warnings), (Some(std::time::Duration::from_millis(1500)), vec![]));
    let variables = serde_json::to_string(&case.config_variables()).unwrap();
    assert_eq!(variables, r#"{"base_url":"http://h","v":[1,2],"w":2}"#);
    let mut session = Session::new();
    session.begin(&case);
    assert_eq!(serde_json::to_string(&case.exported(&session)).unwrap(), r#"{"x":null}"#);
}

#[test]
fn the_samples_take_the_rows_of_a_file() {
    let case = support::case("13_parameters.yml");
    let mut session = Session::new();
    let names: Vec<_> = (0..7).flat_map(|position| iterate(&case, &mut session, position)).collect();
    let once = ["request-POST login test1", "request-POST login test2", "request-POST login test3"];
    assert_eq!(names, [&once[..], &once[..], &once[..1]].concat());
    assert_eq!(case.parameters.as_ref().unwrap().runs(), 6);

    let case = support::case("13b_parameters_limit.yml");
    assert_eq!(case.parameters.as_ref().unwrap().runs(), 4);
    let names: Vec<_> = (0..4).flat_map(|position| iterate(&case, &mut session, position)).collect();
    assert_eq!(names, ["request-GET get iOS", "request-GET get Android"].repeat(2));
}

#[test]
fn a_file_of_many_rows_is_shared_by_all_users() {
    let rows: Vec<_> = (0..100_000).map(|n| format!("user{n},{n}")).collect();
    let rows = rows.join("\n");
    let config = "  parameters: {name-id: \"${P(rows.csv)}\"}\n";
    let folder =
        Folder::new("rows", &[("rows.csv", &format!("id,name\n{rows}")), ("case.yml", &text(config, "[$name, $id]"))]);
    let case = folder.case("case.yml");
    let mut session = Session::new();
    assert_eq!(sent(&case, &mut session, 99_999), "[\"99999\",\"user99999\"]");
    assert_eq!(case.parameters.unwrap().runs(), 100_000);

    folder.write("case.yml", text("  parameters: {name-age: \"${P(rows.csv)}\"}\n", "[1]").as_bytes());
    let (errors, code) = folder.errors("case.yml");
    assert_eq!((&*errors[0], code), ("case.yml:3:26: row 1 of the parameters \"name-age\" has no age", 15));
    folder.write(
        "case.yml",
        text("  parameters: {a: \"${P(none.csv)}\", b: \"${get_timestamp()}\"}\n", "[1]").as_bytes(),
    );
    let (errors, code) = folder.errors("case.yml");
    assert_eq!(code, 14);
    assert!(errors[0].starts_with("case.yml:3:19: call function P failed"), "{errors:?}");
    assert_eq!(errors[1], "case.yml:3:40: the parameters \"b\" must be a list, or an expression that gives one");
}
