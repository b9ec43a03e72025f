//! What our Python runner promises, with the Python that is installed.

mod running;

use std::{fs, io::Write, os::unix::process::ExitStatusExt, process::ExitStatus};

use pummel_plugin::frames::{BrokenPlugin, HELLO, REPLY_BYTES_MAX};
use running::{frame, Runner};
use rustix::process::{kill_process, Pid, Signal};
use serde_json::{json, Value};

/// `meet` and `wait_for_release` are slow when asked to be, so that they get threads before they wait for each other, or for
/// `release`.
const WAITING: &str = r"
import threading, time
gate = threading.Barrier(64)
released = threading.Event()

def meet(with_others):
    if not with_others:
        time.sleep(0.005)
        return 0
    return gate.wait(50) >= 0

def wait_for_release(really):
    if not really:
        time.sleep(0.005)
        return 0
    return released.wait(50)

def release():
    released.set()

def quick():
    return 1
";

fn broken(files: &[(&str, &[u8])]) -> BrokenPlugin {
    let mut runner = Runner::with_files(files);
    let (id, returned, payload) = runner.connect().answer().unwrap();
    assert_eq!((id, returned), (HELLO, false), "{}", String::from_utf8_lossy(&payload));
    assert_eq!(runner.process.wait().unwrap().code(), Some(1));
    serde_json::from_slice(&payload).unwrap()
}

#[test]
fn functions_are_those_of_the_file_and_those_it_imports() {
    let source = r#"
import functools, funppy, json, os
from funppy import register, serve
from os.path import join
from random import randint
from collections import OrderedDict
from helper import *

def plain(a): return a
async def later(): return 1
@functools.lru_cache()
def kept(a): return a
def lines(
    a,
    b=1,
): return a
def gone(): pass
del gone
def replaced(): pass
replaced = 3
def _private(): pass
def __very(): pass
def größe(): pass
class Kind: pass
def outer():
    def inner(): pass
if True:
    def under_if(): return 1
short = lambda: 1
half = functools.partial(plain, 1)
number = 1
funppy.register("given", lambda: 42)
funppy.register("plain", plain)
register("no-name", plain)
serve()
"#;
    let helper = b"def helps(): return 'helped'\n";
    let runner = Runner::with_files(&[("debugtalk.py", source.as_bytes()), ("helper.py", helper)]);
    let mut connection = runner.connect();
    let mut hello = connection.hello();
    hello.own.sort();
    hello.imported.sort();
    assert_eq!(hello.own, ["given", "kept", "later", "lines", "outer", "plain"]);
    assert_eq!(hello.imported, ["half", "helps", "join", "randint", "register", "serve", "short", "under_if"]);
    assert!(hello.python.starts_with("3."), "{}", hello.python);
    assert_eq!(connection.call("given", "[]"), Ok(json!(42)));
    assert_eq!(connection.call("later", "[]"), Ok(json!(1)));
    assert_eq!(connection.call("kept", "[2]"), Ok(json!(2)));
    assert_eq!(connection.call("lines", "[3]"), Ok(json!(3)));
    assert_eq!(connection.call("helps", "[]"), Ok(json!("helped")));
    assert_eq!(connection.call("half", "[]"), Ok(json!(1)));
    assert_eq!(connection.call("randint", "[4,4]"), Ok(json!(4)));
    assert_eq!(connection.call("_private", "[]"), Err("the plugin has no function of this name".into()));
    // Nothing was written beside what was there.
    assert_eq!(fs::read_dir(&runner.folder).unwrap().count(), 2);
}

#[test]
fn arguments_and_results_are_json() {
    let source = r#"
import asyncio, enum
def echo(a): return a
def count(*a): return len(a)
def pair(): return (1, "a")
def nested(): return {"a": (1, 2.5, None), 3: [True]}
def huge(): return 10 ** 30
class Color(enum.IntEnum):
    RED = 5
def color(): return Color.RED
class Text(str): pass
def text(): return Text("abc")
async def slept():
    await asyncio.sleep(0.001)
    return "awake"
"#;
    let runner = Runner::new(source);
    let mut connection = runner.open();
    let echoed = r#"[0,-1,9007199254740993,2.5,1e300,true,false,null,"","a\"b\\\n\u0001","größe 你好 😀",[],[[1]],{},{"k":{"ü":null}}]"#;
    assert_eq!(
        connection.call("echo", &format!("[{echoed}]")),
        serde_json::from_str::<Value>(echoed).map_err(|_| String::new())
    );
    for value in serde_json::from_str::<Vec<Value>>(echoed).unwrap() {
        assert_eq!(connection.call("echo", &format!("[{value}]")), Ok(value));
    }
    assert_eq!(connection.call("count", "[]"), Ok(json!(0)));
    assert_eq!(connection.call("count", "[1,null,[2]]"), Ok(json!(3)));
    assert_eq!(connection.call("pair", "[]"), Ok(json!([1, "a"])));
    assert_eq!(connection.call("nested", "[]"), Ok(json!({"a": [1, 2.5, null], "3": [true]})));
    assert_eq!(connection.call("color", "[]"), Ok(json!(5)));
    assert_eq!(connection.call("text", "[]"), Ok(json!("abc")));
    assert_eq!(connection.call("slept", "[]"), Ok(json!("awake")));
    connection.send(&[(3, "huge", "[]")]);
    assert_eq!(connection.answer(), Some((3, true, b"1000000000000000000000000000000".to_vec())));
}

#[test]
fn what_json_cannot_hold_is_a_failure_that_names_it() {
    let source = r#"
class Thing: pass
def a_set(): return {1}
def some_bytes(): return b"x"
def a_thing(): return Thing()
def inside(): return [1, {"a": {2}}]
def not_a_number(): return float("nan")
def infinite(): return {"a": float("-inf")}
def keys(): return {(1, 2): 3}
def generated(): return (i for i in [])
def half_a_pair(): return "\ud800"
def round_about():
    a = []
    a.append(a)
    return a
"#;
    let runner = Runner::new(source);
    let mut connection = runner.open();
    let mut fails = |function: &str, text: &str| {
        let failure = connection.call(function, "[]").unwrap_err();
        assert!(failure.starts_with(text), "{function}: {failure}");
        assert!(!failure.contains('\n'));
    };
    fails("a_set", "returned a set, which JSON cannot hold");
    fails("some_bytes", "returned a bytes, which JSON cannot hold");
    fails("a_thing", "returned a Thing, which JSON cannot hold");
    fails("inside", "returned a list that holds a set, which JSON cannot hold");
    fails("not_a_number", "returned a float that JSON cannot hold: ");
    fails("infinite", "returned a dict that JSON cannot hold: ");
    fails("keys", "returned a dict that JSON cannot hold: keys must be str");
    fails("generated", "returned a generator, which JSON cannot hold");
    fails("half_a_pair", "returned a str that JSON cannot hold: ");
    fails("round_about", "RecursionError: ");
}

#[test]
fn whatever_a_function_raises_only_fails_its_call() {
    let source = r#"
import os, sys
class Odd(Exception):
    def __str__(self): raise ValueError("no text")
def value(): raise ValueError("no such\n  user")
def nothing(): raise KeyError
def ends(): sys.exit(3)
def interrupts(): raise KeyboardInterrupt
def odd(): raise Odd
def long(): raise ValueError("x" * 100000)
def colored(): raise ValueError("\x1b[31mred")
def deep(): return deep()
def two(a, b): return a + b
"#;
    let runner = Runner::new(source);
    let mut connection = runner.open();
    let mut fails = |function: &str, arguments: &str| connection.call(function, arguments).unwrap_err();
    assert_eq!(fails("value", "[]"), "ValueError: no such user (debugtalk.py:5)");
    assert_eq!(fails("nothing", "[]"), "KeyError (debugtalk.py:6)");
    assert_eq!(fails("ends", "[]"), "SystemExit: 3 (debugtalk.py:7)");
    assert_eq!(fails("interrupts", "[]"), "KeyboardInterrupt (debugtalk.py:8)");
    assert_eq!(fails("odd", "[]"), "debugtalk.Odd: (its text cannot be shown) (debugtalk.py:9)");
    assert_eq!(fails("colored", "[]"), "ValueError: ?[31mred (debugtalk.py:11)");
    assert!(fails("deep", "[]").starts_with("RecursionError: maximum recursion depth exceeded"));
    assert_eq!(fails("two", "[1]"), "TypeError: two() missing 1 required positional argument: 'b'");
    assert_eq!(fails("two", "[1,2,3]"), "TypeError: two() takes 2 positional arguments but 3 were given");
    assert_eq!(
        fails("two", r#"[1,"a"]"#),
        "TypeError: unsupported operand type(s) for +: 'int' and 'str' (debugtalk.py:13)"
    );
    let long = fails("long", "[]");
    assert_eq!((&long[..14], &long[1997..]), ("ValueError: xx", "... (debugtalk.py:10)"));
    assert_eq!(connection.call("two", "[1,2]"), Ok(json!(3)));
}

#[test]
fn the_place_of_an_exception_is_the_innermost_in_the_project_s_own_files() {
    let source = "
import json
from site_packages_like import own
import sys
sys.path.insert(0, sys.path[0] + '/venv/site-packages')
from installed import foreign
def outside(): return json.loads('{')
def inside(): return own()
def package(): return foreign()
def generated(): exec(compile('1/0', 'made up\\nname', 'exec'))
";
    let runner = Runner::with_files(&[
        ("debugtalk.py", source.as_bytes()),
        ("site_packages_like/__init__.py", b"def own():\n    return 1 / 0\n"),
        ("venv/site-packages/installed.py", b"def foreign():\n    return 1 / 0\n"),
    ]);
    let mut connection = runner.open();
    let mut place = |function: &str| {
        let error = connection.call(function, "[]").unwrap_err();
        error[error.rfind(" (").unwrap()..].to_owned()
    };
    assert_eq!(place("outside"), " (debugtalk.py:7)");
    assert_eq!(place("inside"), " (site_packages_like/__init__.py:2)");
    assert_eq!(place("package"), " (debugtalk.py:9)");
    assert_eq!(place("generated"), " (debugtalk.py:10)");
}

#[test]
fn a_traceback_is_written_once_for_each_place() {
    let source = "
def first(a):
    if a: raise ValueError(a)
    raise ValueError(a)
def second():
    raise ValueError(1)
";
    let runner = Runner::new(source);
    let mut connection = runner.open();
    for number in 1..=10 {
        let argument = format!("[{number}]");
        assert_eq!(connection.call("first", &argument), Err(format!("ValueError: {number} (debugtalk.py:3)")));
        assert_eq!(connection.call("first", "[0]"), Err("ValueError: 0 (debugtalk.py:4)".into()));
        assert_eq!(connection.call("second", "[]"), Err("ValueError: 1 (debugtalk.py:6)".into()));
    }
    let (_, errors) = runner.end();
    assert_eq!(errors.matches("Traceback").count(), 3, "{errors}");
    assert_eq!(errors.matches("in first: Traceback").count(), 2, "{errors}");
    assert_eq!(errors.matches("line 3, in first").count(), 1, "{errors}");
    assert!(!errors.contains("pummel_runner"), "{errors}");
}

#[test]
fn a_result_is_what_it_was_when_its_function_returned() {
    let source = "
state = {'n': 0, 'all': []}
def step():
    state['n'] += 1
    state['all'].append(state['n'])
    return state
";
    let runner = Runner::new(source);
    let mut connection = runner.open();
    let calls: Vec<_> = (0..50).map(|id| (id, "step", "[]")).collect();
    connection.send(&calls);
    for id in 0..50 {
        let (answered, returned, payload) = connection.answer().unwrap();
        let value: Value = serde_json::from_slice(&payload).unwrap();
        let all: Vec<u32> = (1..=id + 1).collect();
        assert_eq!((answered, returned, value), (id, true, json!({"n": id + 1, "all": all})));
    }
}

#[test]
fn slow_functions_run_side_by_side_and_hold_up_nobody() {
    let runner = Runner::new(WAITING);
    let mut connection = runner.open();
    // Who is slow once has a thread from then on.
    assert_eq!(connection.call("meet", "[false]"), Ok(json!(0)));
    let mut calls: Vec<_> = (0..63).map(|id| (id, "meet", "[true]")).collect();
    calls.push((100, "quick", "[]"));
    connection.send(&calls);
    // All 63 wait for one more; the quick one does not.
    assert_eq!(connection.answer(), Some((100, true, b"1".to_vec())));
    assert_eq!(runner.open().call("quick", "[]"), Ok(json!(1)));
    connection.send(&[(63, "meet", "[true]")]);
    let mut ids: Vec<u32> = (0..64)
        .map(|_| {
            let (id, returned, payload) = connection.answer().unwrap();
            assert_eq!((returned, payload), (true, b"true".to_vec()), "{id}");
            id
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..64).collect::<Vec<_>>());
}

#[test]
fn replies_that_are_ready_do_not_wait_for_a_first_call_that_takes_long() {
    let source = "
import threading
released = threading.Event()
def quick(): return 1
def waits(): return released.wait(50)
import os, time
def watch():
    while not os.path.exists(os.path.join(os.path.dirname(__file__), 'go')): time.sleep(0.001)
    released.set()
threading.Thread(target=watch, daemon=True).start()
";
    let runner = Runner::new(source);
    let mut connection = runner.open();
    connection.send(&[(1, "quick", "[]"), (2, "quick", "[]"), (3, "waits", "[]")]);
    assert_eq!(connection.answer(), Some((1, true, b"1".to_vec())));
    assert_eq!(connection.answer(), Some((2, true, b"1".to_vec())));
    fs::write(runner.folder.join("go"), "").unwrap();
    assert_eq!(connection.answer(), Some((3, true, b"true".to_vec())));
}

#[test]
fn a_function_that_only_warmed_up_returns_to_the_main_thread() {
    let source = "
import threading, time
def in_main(seconds):
    time.sleep(seconds)
    return threading.current_thread() is threading.main_thread()
def where():
    return threading.current_thread() is threading.main_thread()
def slow_once(first):
    if first: time.sleep(0.005)
    return where()
";
    let runner = Runner::new(source);
    let mut connection = runner.open();
    assert_eq!(connection.call("slow_once", "[true]"), Ok(json!(true)));
    let mut back = 0;
    while connection.call("slow_once", "[false]") == Ok(json!(false)) {
        back += 1;
        assert!(back < 100_000);
    }
    assert!(back >= 16, "after {back} calls");
    // One that is slow each time never does.
    assert_eq!(connection.call("in_main", "[0.002]"), Ok(json!(true)));
    for _ in 0..40 {
        assert_eq!(connection.call("in_main", "[0.002]"), Ok(json!(false)));
    }
}

#[test]
fn bytes_may_come_in_any_pieces() {
    let runner = Runner::new("def echo(a): return a\n");
    let mut connection = runner.open();
    let calls = frame(&[(1, "echo", r#"["größe"]"#), (2, "echo", "[2]")]);
    for byte in &calls {
        connection.stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(connection.answer(), Some((1, true, "\"größe\"".into())));
    assert_eq!(connection.answer(), Some((2, true, b"2".to_vec())));
    // Three frames in one piece, and the begin of a fourth.
    let bytes = [calls.clone(), calls.clone(), calls.clone(), calls[..20].to_vec()].concat();
    connection.stream.write_all(&bytes).unwrap();
    for _ in 0..3 {
        assert_eq!(connection.answer(), Some((1, true, "\"größe\"".into())));
        assert_eq!(connection.answer(), Some((2, true, b"2".to_vec())));
    }
    connection.stream.write_all(&calls[20..]).unwrap();
    assert_eq!(connection.answer(), Some((1, true, "\"größe\"".into())));
    assert_eq!(connection.answer(), Some((2, true, b"2".to_vec())));
}

#[test]
fn arguments_and_results_may_be_large_up_to_the_limit() {
    let runner =
        Runner::new("def length(a): return len(a)\ndef text(n): return 'x' * n\ndef texts(n): return ['x' * n]\n");
    let mut connection = runner.open();
    let argument = format!("[\"{}\"]", "x".repeat(5_000_000));
    assert_eq!(connection.call("length", &argument), Ok(json!(5_000_000)));
    let most = REPLY_BYTES_MAX - 2;
    let all = connection.call("text", &format!("[{most}]")).unwrap();
    assert_eq!(all.as_str().map(str::len), Some(most));
    let failure = connection.call("text", &format!("[{}]", most + 1));
    assert_eq!(failure, Err("returned 16777217 bytes of JSON, more than 16777216".into()));
    let failure = connection.call("texts", &format!("[{most}]"));
    assert_eq!(failure, Err("returned 16777218 bytes of JSON, more than 16777216".into()));
    assert_eq!(connection.call("length", "[\"\"]"), Ok(json!(0)));
}

#[test]
fn who_reads_slowly_holds_up_nobody() {
    let runner =
        Runner::new("import time\ndef text(n): return 'x' * n\ndef slow(n): time.sleep(0.005); return 'y' * n\n");
    let (mut slow, mut other) = (runner.open(), runner.open());
    assert_eq!(slow.call("slow", "[0]"), Ok(json!("")));
    let calls: Vec<_> = (0..16).map(|id| (id, if id % 2 == 0 { "text" } else { "slow" }, "[1000000]")).collect();
    slow.send(&calls);
    for _ in 0..100 {
        assert_eq!(other.call("text", "[1]"), Ok(json!("x")));
    }
    let mut ids: Vec<u32> = (0..16)
        .map(|_| {
            let (id, returned, payload) = slow.answer().unwrap();
            let letter = if id % 2 == 0 { "x" } else { "y" };
            assert!(returned && payload == format!("\"{}\"", letter.repeat(1_000_000)).as_bytes(), "{id}");
            id
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..16).collect::<Vec<_>>());
    // Calls are taken again.
    assert_eq!(slow.call("text", "[2]"), Ok(json!("xx")));
}

#[test]
fn results_of_a_closed_connection_are_dropped() {
    let runner = Runner::new(WAITING);
    let (mut leaves, mut stays) = (runner.open(), runner.open());
    assert_eq!(leaves.call("wait_for_release", "[false]"), Ok(json!(0)));
    let calls: Vec<_> = (0..200).map(|id| (id, "wait_for_release", "[true]")).collect();
    leaves.send(&calls);
    // The runner has taken them when it answers what comes behind them.
    assert_eq!(leaves.call("quick", "[]"), Ok(json!(1)));
    drop(leaves);
    assert_eq!(stays.call("quick", "[]"), Ok(json!(1)));
    assert_eq!(stays.call("release", "[]"), Ok(Value::Null));
    assert_eq!(stays.call("wait_for_release", "[true]"), Ok(json!(true)));
}

#[test]
fn only_processes_of_the_same_user_are_served() {
    let runner = Runner::new("import os\nos.geteuid = lambda: 4294967294\n");
    let mut connection = runner.connect();
    assert_eq!(connection.answer(), None);
}

#[test]
fn who_sends_nonsense_is_cut_off_alone() {
    let runner = Runner::new("def quick(): return 1\n");
    let mut well = runner.open();
    for bytes in ["\x05\0\0\0abcde", "\x02\0\0\0{\"", "\x05\0\0\0[[1]]", "\x06\0\0\0[null]", "\x01\0\0\x001"] {
        let mut connection = runner.open();
        connection.stream.write_all(bytes.as_bytes()).unwrap();
        assert_eq!(connection.answer(), None, "{bytes:?}");
    }
    assert_eq!(well.call("quick", "[]"), Ok(json!(1)));
}

#[test]
fn printing_works_with_and_without_a_reader() {
    let source = "
import sys
print('at import')
def prints():
    print('größe \\ud800')
    print('to error', file=sys.stderr)
    return 1
def reads(): return sys.stdin.read()
";
    let runner = Runner::new(source);
    let mut connection = runner.open();
    assert_eq!(connection.call("prints", "[]"), Ok(json!(1)));
    assert_eq!(connection.call("reads", "[]"), Ok(json!("")));
    let (out, errors) = runner.end();
    assert_eq!((out.as_str(), errors.as_str()), ("at import\ngröße \\ud800\n", "to error\n"));

    let mut runner = Runner::new(source);
    let mut connection = runner.open();
    drop((runner.process.stdout.take(), runner.process.stderr.take()));
    for _ in 0..3 {
        assert_eq!(connection.call("prints", "[]"), Ok(json!(1)));
    }
}

#[test]
fn sigint_is_ignored_and_sigterm_ends_it() {
    let mut runner = Runner::new("def quick(): return 1\n");
    let mut connection = runner.open();
    let process = Pid::from_child(&runner.process);
    kill_process(process, Signal::INT).unwrap();
    assert_eq!(connection.call("quick", "[]"), Ok(json!(1)));
    kill_process(process, Signal::TERM).unwrap();
    assert_eq!(runner.process.wait().unwrap(), ExitStatus::from_raw(15));
    assert_eq!(connection.answer(), None);
}

#[test]
fn a_file_that_is_no_python_is_told_with_its_line() {
    let reason = broken(&[("debugtalk.py", b"def a():\n    return 1\ndef b(:\n")]);
    assert!(reason.syntax);
    assert!(reason.error.starts_with("SyntaxError: "), "{}", reason.error);
    assert_eq!(reason.place, "debugtalk.py:3");
    let reason = broken(&[("debugtalk.py", b"return 1\n")]);
    assert_eq!((reason.syntax, reason.error.as_str()), (true, "SyntaxError: 'return' outside function"));
    assert!(broken(&[("debugtalk.py", b"a = 1\0")]).syntax);
    assert!(broken(&[("debugtalk.py", b"a = '\xff'\n")]).syntax);
}

#[test]
fn an_import_that_fails_is_told_with_its_place() {
    let reason = broken(&[("debugtalk.py", b"import os\n\nraise ValueError('no settings')\n")]);
    let expected =
        BrokenPlugin { syntax: false, error: "ValueError: no settings".into(), place: "debugtalk.py:3".into() };
    assert_eq!(reason, expected);
    let reason = broken(&[("debugtalk.py", b"import helper\n"), ("helper.py", b"\ndef a(:\n")]);
    assert_eq!((reason.syntax, reason.place.as_str()), (false, "helper.py:2"));
    let reason = broken(&[("debugtalk.py", b"import helper\n"), ("helper.py", b"\n\nint('a')\n")]);
    assert_eq!((reason.syntax, reason.place.as_str()), (false, "helper.py:3"));
    let reason = broken(&[("debugtalk.py", b"import there_is_no_such_module\n")]);
    assert_eq!(reason.error, "ModuleNotFoundError: No module named 'there_is_no_such_module'");
    let reason = broken(&[("debugtalk.py", b"import sys\nsys.exit(4)\n")]);
    assert_eq!((reason.error.as_str(), reason.place.as_str()), ("SystemExit: 4", "debugtalk.py:2"));
    let reason = broken(&[]);
    assert!(reason.error.starts_with("FileNotFoundError: "), "{}", reason.error);
    assert_eq!((reason.syntax, reason.place.as_str()), (false, ""));
}
