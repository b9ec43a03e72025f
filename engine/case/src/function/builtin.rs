//! The built-in functions (hrp spec section 8).

use std::{
    fs::File,
    io::Read,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{arguments::Arguments, call::Failure, csv_file};
use crate::{
    project::Project,
    value::{Sink, Value},
    Wait,
};

/// The longest random text: longer ones are no test data, and each user holds its own.
const MAX_RANDOM_TEXT: i128 = 1024 * 1024;

/// The longest sleep: a day. A longer one is a typing error.
const MAX_SLEEP_S: i128 = 86_400;

/// How many parts a text may be split into; the list stands in memory for each user.
const MAX_PARTS: usize = 100_000;

/// The largest file that is sent as a message.
const MAX_MESSAGE_BYTES: u64 = 64 * 1024 * 1024;

/// A function, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    GetTimestamp,
    Sleep,
    GenRandomString,
    RandomInt,
    RandomRange,
    Max,
    Md5,
    Parameterize,
    SplitByComma,
    Environ,
    LoadWsMessage,
}

/// Every name with its function and how many arguments it takes. `multipart_encoder` and `multipart_content_type` are part of
/// `request.upload`, which puts them in place itself (hrp spec 11.7).
const NAMES: [(&str, Function, usize); 13] = {
    use Function::{
        Environ, GenRandomString, GetTimestamp, LoadWsMessage, Max, Md5, Parameterize, RandomInt, RandomRange, Sleep,
        SplitByComma,
    };
    [
        ("get_timestamp", GetTimestamp, 0),
        ("sleep", Sleep, 1),
        ("gen_random_string", GenRandomString, 1),
        ("random_int", RandomInt, 1),
        ("random_range", RandomRange, 2),
        ("max", Max, 2),
        ("md5", Md5, 1),
        ("parameterize", Parameterize, 1),
        ("P", Parameterize, 1),
        ("split_by_comma", SplitByComma, 1),
        ("environ", Environ, 1),
        ("ENV", Environ, 1),
        ("load_ws_message", LoadWsMessage, 1),
    ]
};

/// What a function gives.
pub(super) enum Returned {
    Nothing,
    Int(i64),
    Float(f64),
    /// It stands in the buffer.
    Text,
    Shared(Arc<Value>),
    /// Nothing, and the engine has to wait first.
    Wait(Wait),
}

impl Function {
    /// The function of a name: exact, case and all.
    pub(crate) fn find(name: &str) -> Option<Self> {
        NAMES.iter().find_map(|(known, function, _)| (*known == name).then_some(*function))
    }

    /// Every name, for "did you mean".
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, ..)| *name)
    }

    pub(super) fn name(self) -> &'static str {
        self.entry().0
    }

    pub(super) fn arity(self) -> usize {
        self.entry().1
    }

    /// The same arguments give the same result for the whole run, so a call with known ones is made at load. Files are read and
    /// the environment is looked at once.
    pub(crate) fn is_constant(self) -> bool {
        match self {
            Function::GetTimestamp
            | Function::Sleep
            | Function::GenRandomString
            | Function::RandomInt
            | Function::RandomRange => false,
            Function::Max
            | Function::Md5
            | Function::Parameterize
            | Function::SplitByComma
            | Function::Environ
            | Function::LoadWsMessage => true,
        }
    }

    /// What it gives is as large as a file, which has a limit of its own.
    pub(crate) fn reads_files(self) -> bool {
        matches!(self, Function::Parameterize | Function::LoadWsMessage)
    }

    fn entry(self) -> (&'static str, usize) {
        let named = NAMES.iter().find(|(_, function, _)| *function == self);
        named.map_or(("", 0), |(name, _, arity)| (name, *arity))
    }

    /// Calls it; `text` is empty and takes a text result.
    pub(super) fn call(
        self,
        arguments: &Arguments<'_>,
        project: &Arc<Project>,
        text: &mut String,
    ) -> Result<Returned, Failure> {
        Ok(match self {
            Function::GetTimestamp => Returned::Int(timestamp_ms()),
            Function::Sleep => sleep(arguments.int(0)?)?,
            Function::GenRandomString => random_text(arguments.int(0)?, text)?,
            Function::RandomInt => match i64::try_from(arguments.int(0)?) {
                Ok(below @ 1..) => Returned::Int(fastrand::i64(0..below)),
                _ => return Err(Failure::call("the number must be from 1 to 9223372036854775807")),
            },
            Function::RandomRange => {
                let (from, to) = (arguments.float(0)?, arguments.float(1)?);
                Returned::Float(from + fastrand::f64() * (to - from))
            }
            Function::Max => Returned::Float(arguments.float(0)?.max(arguments.float(1)?)),
            Function::Md5 => {
                text.push_fmt(format_args!("{:x}", md5::compute(arguments.text(0)?.as_bytes())));
                Returned::Text
            }
            Function::Parameterize => Returned::Shared(csv_file::table(&arguments.text(0)?, project)?),
            Function::SplitByComma => split(&arguments.text(0)?)?,
            Function::Environ => {
                text.push_str(&project.environment(&arguments.text(0)?).unwrap_or_default());
                Returned::Text
            }
            Function::LoadWsMessage => Returned::Shared(load_bytes(&arguments.text(0)?, project)?),
        })
    }
}

fn timestamp_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

fn sleep(seconds: i128) -> Result<Returned, Failure> {
    match u64::try_from(seconds) {
        _ if seconds > MAX_SLEEP_S => Err(Failure::call(format!("it sleeps for {MAX_SLEEP_S} seconds at most"))),
        Ok(seconds @ 1..) => Ok(Returned::Wait(Wait::Sleep(Duration::from_secs(seconds)))),
        _ => Ok(Returned::Nothing),
    }
}

fn random_text(length: i128, text: &mut String) -> Result<Returned, Failure> {
    if !(0..=MAX_RANDOM_TEXT).contains(&length) {
        return Err(Failure::call(format!("the length must be from 0 to {MAX_RANDOM_TEXT}")));
    }
    let length = length as usize;
    text.reserve(length);
    // One generator for all of it: the thread's own is looked up each time.
    let mut random = fastrand::Rng::new();
    text.extend((0..length).map(|_| random.alphanumeric()));
    Ok(Returned::Text)
}

fn split(text: &str) -> Result<Returned, Failure> {
    if text.bytes().filter(|byte| *byte == b',').count() >= MAX_PARTS {
        return Err(Failure::call(format!("the text has more than {MAX_PARTS} parts")));
    }
    Ok(Returned::Shared(Arc::new(Value::List(text.split(',').map(Value::text).collect()))))
}

/// The contents of a file.
fn load_bytes(path: &str, project: &Project) -> Result<Arc<Value>, Failure> {
    let failure = |reason: &str, path: &Path| Failure { file: Some(path.into()), ..Failure::call(reason) };
    let Some(found) = project.find(Path::new(path)) else {
        return Err(failure("the file does not exist", Path::new(path)));
    };
    let mut bytes = Vec::new();
    match File::open(&found).and_then(|file| file.take(MAX_MESSAGE_BYTES + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > MAX_MESSAGE_BYTES => {
            Err(failure(&format!("the file is larger than {} MiB", MAX_MESSAGE_BYTES >> 20), &found))
        }
        Ok(_) => Ok(Arc::new(Value::Bytes(bytes.into()))),
        Err(error) => Err(failure(&format!("the file cannot be read: {error}"), &found)),
    }
}
