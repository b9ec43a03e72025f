//! What the uploads of a case share while it is compiled.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use super::upload_files::{FileContents, FileError, UploadFiles};
use crate::project::Project;

/// How many bytes the constant uploads of a case may take together: each core holds a copy of them.
pub(crate) const MAX_CASE_BYTES: usize = 512 * 1024 * 1024;

/// Files read and bytes spent so far; every clone is the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uploads(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    /// One for each project.
    projects: Vec<Loaded>,
    spent_bytes: usize,
}

/// Files of a project that are read already.
#[derive(Debug)]
struct Loaded {
    files: Arc<UploadFiles>,
    contents: HashMap<Box<str>, FileContents>,
}

impl Uploads {
    /// The files of a project, for uploads whose paths are known only when they run.
    pub(crate) fn files(&self, project: &Arc<Project>) -> Arc<UploadFiles> {
        self.with(project, |loaded| loaded.files.clone())
    }

    /// The contents of a file, which is read once for all steps.
    pub(crate) fn read(&self, project: &Arc<Project>, path: &str) -> Result<FileContents, FileError> {
        self.with(project, |loaded| {
            if let Some(contents) = loaded.contents.get(path) {
                return Ok(contents.clone());
            }
            let contents = loaded.files.read(path)?;
            loaded.contents.insert(path.into(), contents.clone());
            Ok(contents)
        })
    }

    /// Takes bytes off what the case may send; false where that would be more than [`MAX_CASE_BYTES`].
    pub(crate) fn spend(&self, bytes: usize) -> bool {
        let mut state = self.0.borrow_mut();
        let spent = state.spent_bytes.saturating_add(bytes);
        let fits = spent <= MAX_CASE_BYTES;
        if fits {
            state.spent_bytes = spent;
        }
        fits
    }

    fn with<T>(&self, project: &Arc<Project>, use_it: impl FnOnce(&mut Loaded) -> T) -> T {
        let projects = &mut self.0.borrow_mut().projects;
        let at = projects.iter().position(|loaded| loaded.files.project() == project).unwrap_or_else(|| {
            projects.push(Loaded { files: Arc::new(UploadFiles::new(project.clone())), contents: HashMap::new() });
            projects.len() - 1
        });
        use_it(&mut projects[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_uploads_of_a_case_together_are_bounded() {
        let uploads = Uploads::default();
        let same = uploads.clone();
        assert!(uploads.spend(MAX_CASE_BYTES - 1));
        assert!(!same.spend(2));
        assert!(same.spend(1));
        assert!(!uploads.spend(usize::MAX));
    }
}
