//! Uploads byte for byte (hrp spec 11.7), and read back by a multipart reader of our own.

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use pummel_case::{
    load_text, Case, Headers, LoadError, LoadOptions, Loaded, Progress, RenderedRequest, ResponseView, Session, Step,
    StepError,
};
use serde_json::json;

/// A folder with the files `up.txt`, `pic.PNG` and `plain`, gone when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pummel-uploads-{}-{name}", std::process::id()));
        fs::create_dir_all(path.join("sub")).unwrap();
        fs::write(path.join("up.txt"), "hello upload\n").unwrap();
        fs::write(path.join("sub/pic.PNG"), [0x89, b'P', 0, 0xff]).unwrap();
        fs::write(path.join("plain"), "").unwrap();
        fs::write(path.join("a;b.txt"), "semicolon").unwrap();
        Folder(path)
    }

    /// Loads a case of the folder.
    fn load(&self, text: &str) -> Result<Loaded, LoadError> {
        load_text("case.yml", text, &self.options())
    }

    /// The folder is the project.
    fn options(&self) -> LoadOptions {
        LoadOptions { project_dir: Some(self.0.clone()), ..LoadOptions::default() }
    }

    fn case(&self, text: &str) -> Case {
        self.load(text).unwrap_or_else(|error| panic!("{error}")).cases.remove(0)
    }

    /// A request with this upload, in YAML flow style.
    fn upload(&self, fields: &str) -> Case {
        self.case(&format!("teststeps:\n- request: {{method: POST, url: http://h/p, upload: {fields}}}\n"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What each step sends, one after the other; each answer is `{"v": answer}`.
fn sent_with(case: &Case, answer: &str) -> Vec<Result<RenderedRequest, StepError>> {
    let mut session = Session::new();
    session.begin(case);
    let requests = case.steps.iter().filter_map(|step| match step {
        Step::Request(step) => Some(step),
        _ => None,
    });
    requests
        .map(|step| {
            let mut out = RenderedRequest::default();
            let rendered = step.render(&mut session, &mut out, &mut Progress::default());
            let fields: &[(&str, &[u8])] = &[("Content-Type", b"application/json")];
            let headers: &dyn Headers = &fields;
            let mut body = json!({"v": answer}).to_string().into_bytes();
            let view = &mut ResponseView { status: 200, version: "HTTP/1.1", headers, body: &mut body };
            step.check(&mut session, view, &mut Progress::default(), None).map(drop).unwrap();
            rendered.map(|_| out)
        })
        .collect()
}

/// The last request of the case with its boundary replaced by `B`.
fn body(case: &Case) -> String {
    let request = sent_with(case, "").pop().unwrap().unwrap();
    let boundary = boundary(&request);
    String::from_utf8_lossy(request.body().unwrap()).replace(&boundary, "B")
}

/// The boundary of a request: 60 hexadecimal digits.
fn boundary(request: &RenderedRequest) -> String {
    let kinds: Vec<_> = request.headers().filter(|(name, _)| *name == "Content-Type").map(|(_, kind)| kind).collect();
    assert_eq!(kinds.len(), 1);
    let boundary = kinds[0].strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(boundary.len() == 60 && boundary.bytes().all(|b| b"0123456789abcdef".contains(&b)), "{boundary}");
    boundary.to_owned()
}

/// Every value of a field, and what stands between its delimiters.
const RULES: [(&str, &str); 31] = [
    ("plain", "\r\n\r\nplain"),
    ("", "\r\n\r\n"),
    (r#""quoted""#, "\r\n\r\nquoted"),
    (r#""""two""""#, "\r\n\r\n\"\"two\"\""),
    (r#"""#, "\r\n\r\n"),
    (r#"a"b"#, "\r\n\r\na\"b"),
    (r#""@up.txt""#, "\r\n\r\n@up.txt"),
    ("a=b", "\r\n\r\na=b"),
    ("YWJj==", "\r\n\r\nYWJj=="),
    ("a;b", "\r\n\r\na;b"),
    ("a; b=c ;", "\r\n\r\na; b=c ;"),
    ("type=text/x", "\r\n\r\ntype=text/x"),
    ("a;type=text/x", "\r\nContent-Type: text/x\r\n\r\na"),
    ("a; TYPE = text/x ;FileName=n.txt", "; filename=\"n.txt\"\r\nContent-Type: text/x\r\n\r\na"),
    ("a;type=text/x;b", "\r\nContent-Type: text/x\r\n\r\na;b"),
    (r#""a;type=text/x;b""#, "\r\nContent-Type: text/x\r\n\r\na;b"),
    ("a;type=;filename=", "\r\n\r\na"),
    ("a;type=x/1;type=x/2", "\r\nContent-Type: x/2\r\n\r\na"),
    ("a;filename=x=y", "; filename=\"x=y\"\r\n\r\na"),
    (r#"a;filename="q;.txt"#, "; filename=\"q\"\r\n\r\na;.txt"),
    (r#"a;filename=b"c\d.txt"#, "; filename=\"b\\\"c\\\\d.txt\"\r\n\r\na"),
    (";filename=empty", "; filename=\"empty\"\r\n\r\n"),
    (";filename=empty;type=text/x", "; filename=\"empty\"\r\nContent-Type: text/x\r\n\r\n"),
    ("@up.txt", "; filename=\"up.txt\"\r\nContent-Type: text/plain\r\n\r\nhello upload\n"),
    (r#"@"up.txt""#, "; filename=\"up.txt\"\r\nContent-Type: text/plain\r\n\r\nhello upload\n"),
    ("@ up.txt ; filename = n.bin", "; filename=\"n.bin\"\r\nContent-Type: text/plain\r\n\r\nhello upload\n"),
    (
        r#"@"up.txt";type=text/foo;filename=n.bin"#,
        "; filename=\"n.bin\"\r\nContent-Type: text/foo\r\n\r\nhello upload\n",
    ),
    ("@up.txt;other=1;type=a/b", "; filename=\"up.txt\"\r\nContent-Type: a/b\r\n\r\nhello upload\n"),
    (r#"@"a;b.txt""#, "; filename=\"a;b.txt\"\r\nContent-Type: text/plain\r\n\r\nsemicolon"),
    ("@plain", "; filename=\"plain\"\r\nContent-Type: application/octet-stream\r\n\r\n"),
    ("@sub/pic.PNG", "; filename=\"pic.PNG\"\r\nContent-Type: image/png\r\n\r\n\u{fffd}P\0\u{fffd}"),
];

fn expected(part: &str) -> String {
    format!("--B\r\nContent-Disposition: form-data; name=\"f\"{part}\r\n--B--\r\n")
}

#[test]
fn every_rule_where_the_value_is_constant() {
    let folder = Folder::new("constant");
    for (value, part) in RULES {
        let case = folder.upload(&format!("{{f: {}}}", json!(value)));
        let Step::Request(step) = &case.steps[0] else { unreachable!() };
        assert!(step.constant().is_some(), "{value}");
        assert_eq!(body(&case), expected(part), "{value}");
    }
}

#[test]
fn every_rule_where_the_value_is_known_only_when_the_step_runs() {
    let folder = Folder::new("rendered");
    for (value, part) in RULES {
        // The variable is extracted and is "" here; it stands where it changes nothing, unless at the very begin.
        let value = match value.char_indices().nth(1) {
            Some((at, _)) => format!("{}${{v}}{}", &value[..at], &value[at..]),
            None => format!("{value}${{v}}"),
        };
        let case = folder.case(&format!(
            "teststeps:\n- request: {{method: GET, url: http://h/}}\n  extract: {{v: body.v}}\n\
             - request: {{method: POST, url: http://h/p, headers: {{content-type: x/y}}, upload: {{f: {}}}}}\n",
            json!(value)
        ));
        assert_eq!(body(&case), expected(part), "{value}");
    }
}

#[test]
fn fields_stay_in_the_order_of_the_file_and_values_have_their_text_form() {
    let folder = Folder::new("order");
    let case = folder.upload("{z: 1, a: 2.50, n: null, b: true, l: [1, x], m: {k: 1}, 'q\"\\': \"x\"}");
    let part =
        |name: &str, text: &str| format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    let parts = [
        part("z", "1"),
        part("a", "2.5"),
        part("n", "<nil>"),
        part("b", "true"),
        part("l", "[1,\"x\"]"),
        part("m", "{\"k\":1}"),
        part("q\\\"\\\\", "x"),
    ];
    assert_eq!(body(&case), parts.concat() + "--B--\r\n");
}

#[test]
fn line_breaks_never_end_a_header() {
    let folder = Folder::new("breaks");
    let case = folder.upload(r#"{"a\r\nX: y": "t;filename=b\r\nc"}"#);
    assert_eq!(
        body(&case),
        "--B\r\nContent-Disposition: form-data; name=\"a%0D%0AX: y\"; filename=\"b%0D%0Ac\"\r\n\r\nt\r\n--B--\r\n"
    );
    let error =
        folder.load("teststeps:\n- request: {method: POST, url: http://h/, upload: {f: \"t;type=a\\r\\nX: y\"}}\n");
    assert!(error.unwrap_err().to_string().contains("upload f: its type holds a control character"));
}

#[test]
fn a_constant_upload_is_the_same_each_time_and_a_rendered_one_has_a_new_boundary() {
    let folder = Folder::new("boundary");
    let constant = folder.upload("{f: '@up.txt'}");
    let bodies = || sent_with(&constant, "").pop().unwrap().unwrap().body().unwrap().to_vec();
    assert_eq!(bodies(), bodies());
    let rendered = folder.case(
        "teststeps:\n- request: {method: GET, url: http://h/}\n  extract: {v: body.v}\n\
         - request: {method: POST, url: http://h/p, upload: {f: $v, g: '@up.txt'}}\n",
    );
    let boundaries = || boundary(&sent_with(&rendered, "").pop().unwrap().unwrap());
    assert_ne!(boundaries(), boundaries());
}

#[test]
fn the_upload_is_the_body_whatever_else_is_written() {
    let folder = Folder::new("instead");
    let loaded = folder
        .load("teststeps:\n- request: {method: POST, url: http://h/, headers: {content-type: a/b}, json: {a: 1}, upload: {f: x}}\n")
        .unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].to_string().ends_with("\"json\" is ignored: the request has an upload"));
    assert_eq!(body(&loaded.cases[0]), expected("\r\n\r\nx"));
    // An empty one asks for nothing.
    let case = folder.case("teststeps:\n- request: {method: POST, url: http://h/, json: [1], upload: {}}\n");
    assert_eq!(sent_with(&case, "")[0].as_ref().unwrap().body(), Some(&b"[1]"[..]));
}

#[test]
fn the_functions_of_an_upload_make_one() {
    let folder = Folder::new("functions");
    let headers = "headers: {Content-Type: '${multipart_content_type($m_encoder)}'}";
    for (variables, body) in [
        ("m_upload: {f: '@up.txt', a: b=c}, m_encoder: '${multipart_encoder($m_upload)}'", "body: $m_encoder"),
        ("m_encoder: '${multipart_encoder( ${fields} )}', fields: {f: '@up.txt', a: b=c}", "data: ' $m_encoder '"),
        ("fields: {f: '@up.txt', a: b=c}", "body: '${multipart_encoder($fields)}'"),
        ("x: 1", "upload: {f: '@up.txt', a: b=c}, body: $m_encoder"),
    ] {
        let loaded = folder
            .load(&format!(
                "teststeps:\n- variables: {{{variables}}}\n  request: {{method: POST, url: http://h/, {headers}, {body}}}\n"
            ))
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(loaded.warnings.is_empty(), "{body}: {:?}", loaded.warnings);
        let file = expected("; filename=\"up.txt\"\r\nContent-Type: text/plain\r\n\r\nhello upload\n");
        let text = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb=c\r\n--B--\r\n";
        assert_eq!(self::body(&loaded.cases[0]), file.replace("--B--\r\n", text), "{body}");
    }
    // Anywhere else they are no upload.
    let text = "teststeps:\n- variables: {v: '${multipart_encoder($none)}'}\n  request: {method: POST, url: http://h/, body: $v}\n";
    assert!(folder.load(text).is_err());
}

#[test]
fn a_constant_file_that_cannot_be_sent_is_an_error_with_its_place() {
    let folder = Folder::new("missing");
    for (path, what) in [
        ("@none.txt", "upload f: none.txt: there is no such file"),
        ("@", "upload f: no path follows the @"),
        ("@sub", "upload f: sub: there is no such file"),
        ("@/dev/zero", "upload f: /dev/zero: there is no such file"),
    ] {
        let text = format!("teststeps:\n- request: {{method: POST, url: http://h/, upload: {{f: {}}}}}\n", json!(path));
        let error = folder.load(&text).unwrap_err();
        assert_eq!((error.exit_code(), error.diagnostics().len()), (10, 1), "{path}");
        assert_eq!(error.diagnostics()[0].line_column(), Some((2, 55)), "{path}");
        assert!(error.to_string().contains(what), "{error}");
    }
    let text = "teststeps:\n- request: {method: POST, url: http://h/, upload: [a]}\n";
    assert!(folder.load(text).unwrap_err().to_string().contains("request.upload must be a map, not a list"));
}

#[test]
fn an_unknown_option_of_a_file_is_left_out_with_a_warning() {
    let folder = Folder::new("option");
    let loaded = folder
        .load("teststeps:\n- request: {method: POST, url: http://h/, upload: {f: '@up.txt; encoder=base64'}}\n")
        .unwrap();
    assert!(loaded.warnings[0].to_string().contains("\"encoder=base64\" is ignored"), "{}", loaded.warnings[0]);
}

/// An upload of the value extracted by the step before.
fn extracted(folder: &Folder, field: &str, variables: &str) -> Case {
    folder.case(&format!(
        "config: {{variables: {{none: '', folder: sub}}}}\nteststeps:\n\
         - request: {{method: GET, url: http://h/}}\n  extract: {{v: body.v}}\n\
         - variables: {{{variables}}}\n  request: {{method: POST, url: http://h/p, upload: {{f: {field}}}}}\n"
    ))
}

fn last(case: &Case, answer: &str) -> Result<String, String> {
    let request = sent_with(case, answer).pop().unwrap().map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(request.body().unwrap()).replace(&boundary(&request), "B"))
}

#[test]
fn a_path_with_variables_is_read_when_the_step_runs() {
    let folder = Folder::new("path");
    let case = extracted(&folder, "'@$folder/$name'", "name: $v");
    assert_eq!(
        last(&case, "pic.PNG").unwrap(),
        expected("; filename=\"pic.PNG\"\r\nContent-Type: image/png\r\n\r\n\u{fffd}P\0\u{fffd}")
    );
    assert_eq!(last(&case, "no such").unwrap_err(), "request upload: f: there is no such file");
    assert_eq!(last(&case, "..").unwrap_err(), "request upload: f: there is no such file");
    // What was sent once is sent again, whatever became of the file.
    fs::remove_file(folder.0.join("sub/pic.PNG")).unwrap();
    assert!(last(&case, "pic.PNG").unwrap().contains("P\0"));
}

#[test]
fn a_response_never_names_a_file() {
    let folder = Folder::new("data");
    for (field, variables) in [("$v", ""), ("$copy", "copy: $v"), ("$copy", "copy: '${v}'"), ("$empty$v", "empty: $v")]
    {
        let case = extracted(&folder, field, variables);
        let body = last(&case, "@up.txt").unwrap();
        assert!(body.contains("@up.txt") && !body.contains("hello"), "{field}: {body}");
    }
    let case = extracted(&folder, "$path", "path: \"$none@up.txt\"");
    assert!(last(&case, "").unwrap().contains("hello upload"));
}

/// A part as a server reads it: name, file name, type, contents.
type Part = (String, Option<String>, Option<String>, Vec<u8>);

/// Reads a body by the grammar of RFC 2046 section 5.1.1 and RFC 7578; panics where it does not hold.
fn read_multipart(body: &[u8], boundary: &str) -> Vec<Part> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let mut rest = body.strip_prefix(&delimiter[2..]).expect("begins with the boundary");
    let mut parts = Vec::new();
    loop {
        if rest == b"--\r\n" {
            return parts;
        }
        rest = rest.strip_prefix(b"\r\n").expect("the boundary ends its line");
        let head_len = find(rest, b"\r\n\r\n").expect("an empty line behind the head");
        let (head, contents) = (&rest[..head_len], &rest[head_len + 4..]);
        let len = find(contents, &delimiter).expect("a boundary behind the part");
        parts.push(read_head(std::str::from_utf8(head).unwrap(), contents[..len].to_vec()));
        rest = &contents[len + delimiter.len()..];
    }
}

fn read_head(head: &str, contents: Vec<u8>) -> Part {
    let mut lines = head.split("\r\n");
    let mut rest = lines.next().unwrap().strip_prefix("Content-Disposition: form-data").unwrap();
    let (mut name, mut filename) = (None, None);
    while !rest.is_empty() {
        let (key, text) = rest.strip_prefix("; ").unwrap().split_once("=\"").unwrap();
        let (value, behind) = unquote(text);
        match key {
            "name" => name = Some(value),
            "filename" => filename = Some(value),
            _ => panic!("unknown parameter {key}"),
        }
        rest = behind;
    }
    let kind = lines.next().map(|line| line.strip_prefix("Content-Type: ").unwrap().to_owned());
    assert_eq!(lines.next(), None);
    (name.unwrap(), filename, kind, contents)
}

/// The text up to the closing quote, and what is behind that.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(chars.next().unwrap().1),
            c => value.push(c),
        }
    }
    panic!("no closing quote in {text}");
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// Texts of what fields are made of.
fn field() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "@",
        "\"",
        ";",
        "=",
        "type",
        "filename",
        "up.txt",
        " ",
        "\\",
        "\r\n",
        "a",
        "中",
        "--",
        "/",
        ".",
        "\0",
        ";type=",
        ";filename=",
    ]);
    prop_oneof![prop::collection::vec(word, 0..12).prop_map(|words| words.concat()), "\\PC{0,20}"]
}

proptest! {
    #[test]
    fn what_is_sent_can_be_read_back(name in field(), value in field(), text in "[a-z @;=\"]{0,12}") {
        let folder = Folder::new("any");
        // `$` would be an expression.
        let (name, value) = (name.replace('$', ""), value.replace('$', ""));
        let case = json!({"teststeps": [
            {"request": {"method": "GET", "url": "http://h/"}, "extract": {"v": "body.v"}},
            {"request": {"method": "POST", "url": "http://h/", "upload": {"first": "$v", (&name): value, "f": format!("{value}$v")}}},
        ]});
        if let Ok(mut loaded) = load_text("case.json", &case.to_string(), &folder.options()) {
            let case = loaded.cases.remove(0);
            if let Some(Ok(request)) = sent_with(&case, &text).pop() {
                let parts = read_multipart(request.body().unwrap(), &boundary(&request));
                let escaped = name.replace('\r', "%0D").replace('\n', "%0A");
                let mut names = vec!["first", &*escaped, "f"];
                names.dedup();
                prop_assert_eq!(parts.iter().map(|part| &*part.0).collect::<Vec<_>>(), names);
                let extracted = text.trim_start_matches('"');
                if !text.contains(';') && !text.contains('"') {
                    prop_assert_eq!(&parts[0].3[..], extracted.as_bytes());
                }
            }
        }
    }
}
