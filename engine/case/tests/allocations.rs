//! Rendering and checking allocate nothing once their buffers have grown.

use allocation_counter::measure;
use pummel_case::{load_text, Case, Headers, LoadOptions, RenderedRequest, ResponseView, Session, Step};

const BODY: &[u8] =
    br#"{"code":0,"data":{"id":12345,"price":2.5,"token":"a token \u00e9","ok":true,"none":null,"items":[{"n":"p"},{"n":"q"}]}}"#;

/// Allocations of the third iteration; the two before let the buffers grow.
fn allocations(case: &Case) -> u64 {
    let fields: &[(&str, &[u8])] =
        &[("Content-Type", b"application/json"), ("X-Request-Id", b"42"), ("Set-Cookie", b"sid=abc; Path=/")];
    let headers: &dyn Headers = &fields;
    let (mut session, mut request, mut body) = (Session::new(), RenderedRequest::default(), BODY.to_vec());
    let mut iterate = || {
        session.begin(case);
        for step in &case.steps {
            let Step::Request(step) = step else { continue };
            step.render(&mut session, &mut request, &mut pummel_case::Progress::default()).map(drop).unwrap();
            let mut view = ResponseView { status: 200, version: "HTTP/1.1", headers, body: &mut body };
            step.check(&mut session, &mut view, &mut pummel_case::Progress::default(), None).map(drop).unwrap();
        }
    };
    iterate();
    iterate();
    measure(iterate).count_total
}

fn case(steps: &str) -> Case {
    let config = "config: {base_url: \"http://h/v1\", headers: {X-Cfg: c}, variables: {who: me}}";
    load_text("case.yml", &format!("{config}\nteststeps:\n{steps}"), &LoadOptions::default()).unwrap().cases.remove(0)
}

#[test]
fn a_step_that_only_checks_the_status() {
    let case = case("- request: {method: GET, url: /get}\n  validate: [ {eq: [status_code, 200]} ]\n");
    assert_eq!(allocations(&case), 0);
}

#[test]
fn a_request_made_of_what_the_last_one_found() {
    let case = case(concat!(
        "- request: {method: GET, url: /login}\n",
        "  extract: {id: body.data.id, price: body.data.price, token: body.data.token, ok: body.data.ok, ",
        "n: \"body.data.items[-1].n\", rid: headers.\"X-Request-Id\", sid: cookies.sid}\n",
        "- variables: {auth: \"Bearer $token\", copy: $token, number: $id}\n",
        "  request:\n",
        "    method: POST\n",
        "    url: \"/user/$id/$n?q=$price\"\n",
        "    params: {z: $token, a: \"$who-$number\"}\n",
        "    headers: {Authorization: $auth, x-copy: \"<$copy>\", X-Rid: $rid}\n",
        "    cookies: {sid: $sid}\n",
        "    json: {id: $id, ok: $ok, price: $price, text: \"$token & $n\", in: {list: [1, $number]}}\n",
        "  validate:\n",
        "  - eq: [status_code, 200]\n",
        "  - eq: [body.code, 0]\n",
        "  - eq: [body.data.id, $id]\n",
        "  - contains: [body.data.token, token]\n",
        "  - len_ge: [body.data.items, 2]\n",
        "  - len_eq: [body.data, 6]\n",
        "  - regex_match: [status_code, \"^2..$\"]\n",
        "  - eq: [headers.content-type, application/json]\n",
    ));
    assert_eq!(allocations(&case), 0);
}

#[test]
fn forms_and_text_bodies() {
    let case = case(concat!(
        "- request: {method: GET, url: /}\n  extract: {id: body.data.id, token: body.data.token}\n",
        "- request: {method: POST, url: \"http://other:81/$id\", headers: {Content-Type: application/x-www-form-urlencoded}, ",
        "data: {id: $id, token: \"$token!\"}}\n",
        "- request: {method: PUT, url: \"/$id\", body: \"id=$id\"}\n",
    ));
    assert_eq!(allocations(&case), 0);
}

#[test]
fn uploads_of_files_and_texts() {
    // Its name ends in what the first step extracts.
    let file = std::env::temp_dir().join(format!("pummel-allocations-{}-12345", std::process::id()));
    std::fs::write(&file, "contents").unwrap();
    let path = file.to_str().unwrap();
    let case = case(&format!(
        "- request: {{method: GET, url: /}}\n  extract: {{id: body.data.id, token: body.data.token}}\n\
         - request: {{method: POST, url: /, upload: {{fixed: '@{path}', read: '@{}$id;filename=$id.png', \
         text: '$token;type=text/plain'}}}}\n",
        path.trim_end_matches("12345"),
    ));
    assert_eq!(allocations(&case), 0);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn calls_and_what_is_put_together_to_be_checked() {
    let case = case(concat!(
        "- request: {method: GET, url: /login}\n",
        "  extract: {id: body.data.id, token: body.data.token, field: \"body.data.items[0].n\"}\n",
        "- variables: {stamp: \"${get_timestamp()}\", nonce: \"${gen_random_string(16)}\", below: \"${random_int($id)}\", sign: \"${md5($token)}\", joined: \"${md5(a-$id-$token)}\"}\n",
        "  request:\n",
        "    method: POST\n",
        "    url: \"/user/$nonce\"\n",
        "    params: {t: $stamp, r: \"${random_range(0.5, 2)}\", n: \"${gen_random_string(8)}\", m: \"${max($id, 3)}\"}\n",
        "    headers: {X-Sign: \"$sign-${md5($nonce)}\"}\n",
        "    json: {below: $below, text: \"${gen_random_string(4)} & $token\"}\n",
        "  setup_hooks: [\"${get_timestamp()}\"]\n",
        "  teardown_hooks: [\"${random_int(9)}\"]\n",
        "  extract: {again: \"body.data.$who\", whole: \"token is $token\"}\n",
        "  validate:\n",
        "  - eq: [status_code, 200]\n",
        "  - eq: [\"body.data.items[0].$field\", null]\n",
        "  - eq: [\"$id-${max($id, 0)}\", \"$id-$id\"]\n",
        "  - regex_match: [status_code, \"^${max(2, $id)}|200$\"]\n",
        "  - len_eq: [$sign, 32]\n",
        "  - ge: [\"${get_timestamp()}\", $stamp]\n",
    ));
    assert_eq!(allocations(&case), 0);
}
