//! What a case knows of the project around its file: where its root is, and what stands in its environment (hrp spec section 5).

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::plugin::{Plugin, PluginFailure, Plugins};

/// The project of one case file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Project {
    /// Where `api` and `testcase` references start. Absolute, except where the working directory is unknown.
    pub(crate) root: PathBuf,
    /// The plugin in the root, `debugtalk.bin`, `debugtalk.py` or `debugtalk.so`.
    pub(crate) plugin: Option<ProjectPlugin>,
    /// The folder of the case file.
    pub(crate) folder: PathBuf,
    /// Variables given to the program itself, over those of the root's `.env`.
    pub(crate) environment: Arc<BTreeMap<Box<str>, Box<str>>>,
}

/// The plugin of a project, opened when it is first needed: a project whose cases call nothing of it starts no process.
#[derive(Debug, Clone)]
pub(crate) struct ProjectPlugin {
    pub(crate) file: PathBuf,
    /// What the project adds to its environment.
    environment: Arc<BTreeMap<Box<str>, Box<str>>>,
    source: Option<Plugins>,
    opened: Arc<OnceLock<Result<Arc<dyn Plugin>, PluginFailure>>>,
}

impl PartialEq for ProjectPlugin {
    /// True for the same file.
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

impl Eq for ProjectPlugin {}

impl ProjectPlugin {
    pub(crate) fn new(file: PathBuf, environment: Arc<BTreeMap<Box<str>, Box<str>>>, source: Option<Plugins>) -> Self {
        Self { file, environment, source, opened: Arc::default() }
    }

    /// The plugin; none where nobody is there to start it.
    pub(crate) fn open(&self) -> Option<Result<&Arc<dyn Plugin>, &PluginFailure>> {
        let source = self.source.as_ref()?;
        Some(self.opened.get_or_init(|| source.0.open(&self.file, &self.environment)).as_ref())
    }
}

impl Project {
    /// The file a path means that is used at run time, such as data or an upload: from the working directory, else from the root,
    /// else from the case's folder (hrp spec 5.3). None where there is no such file.
    pub(crate) fn find(&self, path: &Path) -> Option<PathBuf> {
        self.places(path).into_iter().find(|path| path.is_file())
    }

    /// Whether something lies where the file is looked for: a folder or a pipe, where it is not found.
    pub(crate) fn has_other_than_file(&self, path: &Path) -> bool {
        self.places(path).iter().any(|path| path.exists())
    }

    fn places(&self, path: &Path) -> [PathBuf; 3] {
        [Path::new(""), &*self.root, &*self.folder].map(|folder| folder.join(path))
    }

    /// A variable of the environment: given to the program, else in the root's `.env`, else of the process (hrp spec section 8).
    pub(crate) fn environment(&self, name: &str) -> Option<String> {
        self.environment.get(name).map(ToString::to_string).or_else(|| env::var(name).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_hides_variables_of_the_process() {
        let own = BTreeMap::from([("PATH".into(), "mine".into())]);
        let project = Project { environment: Arc::new(own), ..Project::default() };
        assert_eq!(project.environment("PATH").as_deref(), Some("mine"));
        assert_eq!(project.environment("HOME"), env::var("HOME").ok());
        assert_eq!(project.environment("no_such_variable_anywhere"), None);
        // `env::var` gives nothing for names no variable can have, and does not panic.
        assert_eq!(project.environment("a=b\0"), None);
    }

    #[test]
    fn files_are_searched_in_three_folders_in_order() {
        let folder = env::temp_dir().join(format!("pummel-project-{}", std::process::id()));
        let (root, inner) = (folder.join("root"), folder.join("root/inner"));
        std::fs::create_dir_all(&inner).unwrap();
        for file in ["both.csv", "inner/both.csv", "inner/own.csv"] {
            std::fs::write(root.join(file), "x").unwrap();
        }
        let project = Project { root: root.clone(), folder: inner.clone(), ..Project::default() };
        let found = ["both.csv", "own.csv", "none.csv", "inner", "Cargo.toml"].map(|name| project.find(name.as_ref()));
        let absolute = project.find(&inner.join("own.csv"));
        std::fs::remove_dir_all(&folder).unwrap();
        let expected =
            [Some(root.join("both.csv")), Some(inner.join("own.csv")), None, None, Some("Cargo.toml".into())];
        assert_eq!(found, expected);
        assert_eq!(absolute, Some(inner.join("own.csv")));
    }
}
