//! Test cases from paths, or from a curl command given in their place.

use std::path::{Path, PathBuf};

use pummel_case::{
    convert::{convert, convert_curl_words, CaseFormat, ConvertError, ConvertOptions, Source, StepNames},
    LoadOptions, Loaded,
};

use crate::{
    exit,
    failure::{print_diagnostic, warn, Failure},
    files::read_beside,
    flags::PastedCommand,
};

/// What the case made of a command is called in diagnostics; its extension says that it is JSON.
const NAME: &str = "curl.json";

/// Loads the cases of a command line: the pasted command where there is one, else the paths. A single path that is a whole
/// command in quotes is one too.
///
/// # Errors
/// The load errors of cases; for a command that cannot be converted, wrong usage.
pub(crate) fn load_named_or_pasted(
    paths: &[PathBuf],
    pasted: Option<&PastedCommand>,
    options: &LoadOptions,
) -> Result<Loaded, Failure> {
    let quoted = match paths {
        [only] => only.to_str().filter(|text| text.trim_start().starts_with("curl ")).map(|text| vec![text.to_owned()]),
        _ => None,
    };
    let loaded = match (pasted, quoted) {
        // Behind a path, curl is taken for another one.
        _ if paths.iter().any(|path| path.as_os_str() == "curl") || (pasted.is_some() && !paths.is_empty()) => {
            return Err(Failure::usage(
                "there are test cases and a curl command, and one run takes one of them",
                "leave one out; a file called curl is given as ./curl",
            ))
        }
        (Some(PastedCommand::Curl(flags)), _) => load_words(&flags.words, options)?,
        (None, Some(words)) => load_words(&words, options)?,
        (None, None) => pummel_case::load(paths, options),
    };
    loaded.map_err(|error| {
        error.warnings().iter().for_each(|warning| print_diagnostic(warning));
        let code = error.exit_code();
        Failure::from_diagnostic(error, code)
    })
}

fn load_words(words: &[String], options: &LoadOptions) -> Result<Result<Loaded, pummel_case::LoadError>, Failure> {
    let (name, text) = curl_case(words)?;
    Ok(pummel_case::load_text(name, &text, options))
}

/// The case of a curl command as name and text for [`pummel_case::load_text`]. One word with blanks in it is a command in
/// quotes, and is split as a shell does; several words have been split by one.
///
/// # Errors
/// Wrong usage: the words are no curl command, or ask for what a test case cannot say.
fn curl_case(words: &[String]) -> Result<(&'static str, String), Failure> {
    let read_file = |file: &str| read_beside(Path::new(file), None);
    let options = ConvertOptions { step_names: StepNames::Request, overrides: None, read_file: &read_file };
    let converted = match words {
        [only] if only.contains(char::is_whitespace) => {
            let text = only.trim_start();
            let has_name = text.starts_with("curl") && text[4..].starts_with(char::is_whitespace);
            let text = if has_name { text.to_owned() } else { format!("curl {text}") };
            convert(Source::Curl, &text, &options)
        }
        words => convert_curl_words(words, &options),
    };
    let converted = converted.map_err(|error| usage(&error))?;
    for note in converted.notes() {
        warn(note.message.clone(), None);
    }
    let text = converted.render(CaseFormat::Json).map_err(|error| usage(&error))?;
    Ok((NAME, text))
}

fn usage(error: &ConvertError) -> Failure {
    match &error.help {
        Some(help) => Failure::with_code(exit::USAGE, error.message.clone(), help.clone()),
        None => Failure::without_help(exit::USAGE, error.message.clone()),
    }
}
