//! `upload` of a request: a `multipart/form-data` body (hrp spec 4, 11.7).

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    fields::map,
    report::{code, Report},
};
use crate::{
    document::{Key, Node, Place},
    expression::{compile_text, compile_value, CompileError, Expr, Piece, Scan, Scope, Variable},
    operation::{Operation, SlotPlace},
    request::{
        fixed_body, BodyProgram, FieldError, FieldValue, FileError, FixedPart, MultipartProgram, Part, UploadFolders,
        MAX_UPLOAD_BYTES,
    },
};

/// How many bytes the constant uploads of a case may take together: each core holds a copy of them.
const MAX_CASE_BYTES: usize = 512 * 1024 * 1024;

/// What the uploads of one case share while it is compiled.
pub(crate) struct Uploads {
    folders: Arc<UploadFolders>,
    /// Files read already, by their path as written.
    files: HashMap<Box<str>, Arc<[u8]>>,
    bytes_left: usize,
}

impl Uploads {
    /// Uploads of the case with this path.
    pub(crate) fn new(case: &Path) -> Self {
        let folders = Arc::new(UploadFolders::new(folders(case)));
        Uploads { folders, files: HashMap::new(), bytes_left: MAX_CASE_BYTES }
    }

    fn read(&mut self, path: &str) -> Result<Arc<[u8]>, FileError> {
        if let Some(bytes) = self.files.get(path) {
            return Ok(bytes.clone());
        }
        let bytes = self.folders.read(path)?;
        self.files.insert(path.into(), bytes.clone());
        Ok(bytes)
    }
}

/// Where the files of a case are looked for, in order (hrp spec 5.3): the working directory, the case's folder.
fn folders(case: &Path) -> impl IntoIterator<Item = PathBuf> {
    [PathBuf::new(), case.parent().map(Path::to_owned).unwrap_or_default()]
}

/// Compiles an upload; where nothing in it changes it comes with the content type it needs. None where it reported an error.
pub(crate) fn compile_upload(
    node: &Node,
    scope: &Scope,
    operations: &[Operation],
    uploads: &mut Uploads,
    report: &mut Report,
) -> Option<(BodyProgram, Option<String>)> {
    let errors_before = report.errors.len();
    let mut parts = Vec::new();
    let mut bytes = 0_usize;
    for (key, value) in map(node, "request.upload", report)? {
        let part = compile_field(key, value, scope, operations, uploads, report);
        if let Some(Part::Fixed(part)) = &part {
            bytes = bytes.saturating_add(part.len());
        }
        parts.extend(part);
    }
    if report.errors.len() > errors_before {
        return None;
    }
    let limit = uploads.bytes_left.min(MAX_UPLOAD_BYTES);
    if bytes > limit {
        let what = if bytes > MAX_UPLOAD_BYTES { "the upload is" } else { "the uploads of this case are together" };
        let limit = if bytes > MAX_UPLOAD_BYTES { MAX_UPLOAD_BYTES } else { MAX_CASE_BYTES };
        report.error(node.place, code::INVALID_CASE, format!("{what} larger than {} MiB", limit >> 20)).help =
            Some("send smaller files, or fewer".into());
        return None;
    }
    uploads.bytes_left -= bytes;
    let fixed: Option<Vec<FixedPart>> = parts
        .iter()
        .map(|part| match part {
            Part::Fixed(part) => Some(part.clone()),
            Part::Rendered { .. } => None,
        })
        .collect();
    Some(match fixed {
        Some(fixed) => {
            let (content_type, body) = fixed_body(&fixed);
            (BodyProgram::Fixed(body), Some(content_type))
        }
        None => {
            let folders = uploads.folders.clone();
            (BodyProgram::Multipart(Box::new(MultipartProgram { parts: parts.into(), folders })), None)
        }
    })
}

fn compile_field(
    key: &Key,
    node: &Node,
    scope: &Scope,
    operations: &[Operation],
    uploads: &mut Uploads,
    report: &mut Report,
) -> Option<Part> {
    let mut compiled = |expr: Result<Expr, CompileError>| match expr {
        Ok(expr) => Some(expr),
        Err(error) => {
            report.expression(&error, scope, code::UNDEFINED);
            None
        }
    };
    let name = compiled(compile_text(&key.text, Scan::Verbatim, key.place, scope));
    let value = compiled(compile_value(node, scope));
    let (name, value) = (name?, value?);
    let (Some(name_text), Some(value_text)) = (name.const_text(), value.const_text()) else {
        let may_be_file = !begins_with_extracted(&value, scope, operations);
        return Some(Part::Rendered { name, value, may_be_file, written: Arc::from(&*key.text) });
    };
    let field = FieldValue::parse(&value_text, true);
    if let Some(ignored) = field.ignored {
        let message = format!("\"{}\" is ignored: a file's options are type and filename", ignored.trim());
        report.warn(node.place, message);
    }
    match FixedPart::new(&name_text, &field, |path| uploads.read(path)) {
        Ok(part) => Some(Part::Fixed(part)),
        Err(error) => {
            field_error(node.place, &key.text, &field, error, uploads, report);
            None
        }
    }
}

fn field_error(
    place: Place,
    name: &str,
    field: &FieldValue<'_>,
    error: FieldError,
    uploads: &Uploads,
    report: &mut Report,
) {
    let (exit_code, message) = match error {
        FieldError::File(_) if field.contents().is_empty() => {
            (code::FILE, format!("upload {name}: no path follows the @"))
        }
        FieldError::File(error) => (code::FILE, format!("upload {name}: {}: {error}", field.contents())),
        FieldError::ControlCharacter => (code::INVALID_CASE, format!("upload {name}: {error}")),
    };
    let help = match error {
        FieldError::File(FileError::Missing) if !field.contents().is_empty() => {
            Some(format!("it was looked for in {}", uploads.folders.names()))
        }
        FieldError::File(_) => Some("quote a text that begins with @: '\"@text\"'".into()),
        FieldError::ControlCharacter => None,
    };
    report.error(place, exit_code, message).help = help;
}

/// Whether a value may begin with what a response said. Such a text names no file, whatever it looks like: a server must not
/// choose which of our files are sent to it.
fn begins_with_extracted(value: &Expr, scope: &Scope, operations: &[Operation]) -> bool {
    let is_extracted = |variable: &Variable| match variable {
        Variable::Kept { slot, .. } => scope.extracted.values().any(|extracted| extracted == slot),
        Variable::Parameter { .. } => false,
        // A variable refers only to those before it, so this ends.
        Variable::Step { slot, .. } => operations.iter().enumerate().any(|(n, operation)| {
            matches!(operation, Operation::Set { slot: SlotPlace::Step(set), value }
                if set == slot && begins_with_extracted(value, scope, &operations[..n]))
        }),
    };
    match value {
        Expr::Variable(variable) => is_extracted(variable),
        // A variable at the begin may be empty, and then the next one is what it begins with.
        Expr::Text(pieces) => pieces
            .iter()
            .map_while(|piece| match piece {
                Piece::Variable(variable) => Some(variable),
                Piece::Literal(_) => None,
            })
            .any(is_extracted),
        Expr::Const(_) | Expr::List(_) | Expr::Map(_) => false,
    }
}
