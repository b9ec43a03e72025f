//! The way in and out of a conversion.

use serde_json::Value;

use super::{
    case_file, curl,
    draft::{count, weight, Draft},
    har,
    overrides::Overrides,
    postman,
    problem::{ConvertError, ConvertNote, Notes},
    source::{CaseFormat, Source},
    yaml,
};
use crate::{document::MAX_NODES, load::MAX_FILE_BYTES};

/// Gives the bytes of a file that a command or collection names, or a sentence that says why it cannot. Its path is as written
/// there.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// How a conversion is done.
#[derive(Clone, Copy)]
pub struct ConvertOptions<'a> {
    /// What steps made of curl commands are called.
    pub step_names: StepNames,
    /// Headers and cookies put over those of every request.
    pub overrides: Option<&'a Overrides>,
    /// Reads files whose contents become part of the case.
    pub read_file: ReadFile<'a>,
}

/// What steps made of curl commands are called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StepNames {
    /// The command's text, as hrp does (hrp spec 18.1).
    #[default]
    Command,
    /// Nothing, so that the step is shown as its method and URL. For commands that are run at once.
    Request,
}

/// A converted case.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    case: Value,
    notes: Vec<ConvertNote>,
}

impl Converted {
    /// What was left out or changed.
    pub fn notes(&self) -> &[ConvertNote] {
        &self.notes
    }

    /// How many steps the case has.
    pub fn steps(&self) -> usize {
        self.case["teststeps"].as_array().map_or(0, Vec::len)
    }

    /// The case's text.
    ///
    /// # Errors
    /// The text would be too large to be loaded again, or cannot be said in this form.
    pub fn render(&self, format: CaseFormat) -> Result<String, ConvertError> {
        let text = match format {
            CaseFormat::Json => json_text(&self.case)?,
            CaseFormat::Yaml => yaml::write(&self.case)?,
        };
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(too_large());
        }
        Ok(text)
    }
}

/// Converts the text of a file.
///
/// # Errors
/// The text is not what `source` says, holds nothing that can be converted, or too much.
pub fn convert(source: Source, text: &str, options: &ConvertOptions<'_>) -> Result<Converted, ConvertError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut notes = Notes::default();
    let case = match source {
        Source::Json | Source::Yaml => case_file::convert(source, text)?,
        Source::Har => har::convert(text, &mut notes)?,
        Source::Postman => postman::convert(text, options, &mut notes)?,
        Source::Curl => curl::convert(text, options, &mut notes)?,
    };
    Ok(finish(case, options, notes))
}

/// Converts one curl command that a shell has already split into words, with or without `curl` as the first.
///
/// # Errors
/// The words are no curl command, or ask for what a case cannot say.
pub fn convert_curl_words(words: &[String], options: &ConvertOptions<'_>) -> Result<Converted, ConvertError> {
    let mut notes = Notes::default();
    let case = curl::convert_words(words, options, &mut notes)?;
    Ok(finish(case, options, notes))
}

fn finish(mut case: Value, options: &ConvertOptions<'_>, notes: Notes) -> Converted {
    if let Some(overrides) = options.overrides {
        overrides.apply(&mut case);
    }
    Converted { case, notes: notes.list }
}

/// Steps of one case as they come, within what a case file may hold.
#[derive(Default)]
pub(super) struct Steps {
    list: Vec<Value>,
    values: usize,
    bytes: usize,
}

impl Steps {
    pub(super) fn push(&mut self, draft: Draft) -> Result<(), ConvertError> {
        let step = draft.into_step();
        self.values += count(&step);
        if self.values > MAX_NODES {
            let message = format!("the case would hold more than {MAX_NODES} values");
            return Err(ConvertError::new(None, message).with_help("convert fewer requests at a time"));
        }
        // Several steps may repeat one large text.
        self.bytes += weight(&step);
        if self.bytes as u64 > MAX_FILE_BYTES {
            return Err(too_large());
        }
        self.list.push(step);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The case, with its config.
    pub(super) fn into_case(self, config: &Value) -> Value {
        serde_json::json!({ "config": config, "teststeps": self.list })
    }
}

fn too_large() -> ConvertError {
    let message = format!("the case would be larger than {} MiB, the most that is loaded", MAX_FILE_BYTES >> 20);
    ConvertError::new(None, message).with_help("convert fewer requests at a time")
}

fn json_text(case: &Value) -> Result<String, ConvertError> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    let written = serde::Serialize::serialize(case, &mut serializer);
    bytes.push(b'\n');
    match (written, String::from_utf8(bytes)) {
        (Ok(()), Ok(text)) => Ok(text),
        _ => Err(ConvertError::new(None, "the case cannot be written as JSON")),
    }
}
