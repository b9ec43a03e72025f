//! Where a case's project begins, and its `.env` (hrp spec 5.1, 5.2).

use std::{
    collections::BTreeMap,
    env,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::{
    context::{read, Context},
    env_file::parse_env_file,
    report::{code, Format, Report},
};
use crate::{
    document::Place,
    project::{Project, ProjectPlugin},
};

/// Plugins that mark a root, the first found in a folder counts; behind them what marks one without a plugin.
const PLUGINS: [&str; 3] = ["debugtalk.bin", "debugtalk.py", "debugtalk.so"];
const PROJECT_FILE: &str = "proj.json";

/// What a folder's `.env` holds, or where and how it is wrong.
pub(crate) type Environment = Result<Arc<BTreeMap<Box<str>, Box<str>>>, (Place, String)>;

impl Context<'_> {
    /// The project around a case file. A case without a file, which only has a name, is in the working directory and knows no
    /// `.env`, unless a project is given.
    pub(crate) fn project(&self, path: &Path, is_file: bool, report: &mut Report) -> Arc<Project> {
        let given = self.options.project_dir.as_deref().map(absolute);
        let folder = absolute(path).parent().map(Path::to_owned).unwrap_or_default();
        let here = || absolute(Path::new("."));
        if !is_file && given.is_none() {
            return Arc::new(Project { environment: self.given_variables(None), root: here(), folder, plugin: None });
        }
        let root = given.or_else(|| self.root_of(&folder)).unwrap_or_else(here);
        self.open_project(root, folder, report)
    }

    fn open_project(&self, root: PathBuf, folder: PathBuf, report: &mut Report) -> Arc<Project> {
        let found = self.environments.borrow().get(&root).cloned();
        let environment = found.unwrap_or_else(|| {
            let environment = self.read_environment(&root);
            self.environments.borrow_mut().insert(root.clone(), environment.clone());
            environment
        });
        let of_file = environment.map_err(|(place, message)| {
            report.error(place, code::ENV_FILE, message).help =
                Some("a line is NAME=value, NAME: value, a # comment, or empty".into());
        });
        let plugin = PLUGINS.iter().map(|name| root.join(name)).find(|path| path.is_file());
        let environment = self.given_variables(of_file.ok());
        let plugin = plugin.map(|file| self.plugin(file, &environment));
        Arc::new(Project { root, plugin, folder, environment })
    }

    /// The plugin in a file: one for all cases, as it may be broken, which is said once.
    fn plugin(&self, file: PathBuf, environment: &Arc<BTreeMap<Box<str>, Box<str>>>) -> ProjectPlugin {
        let mut plugins = self.plugins.borrow_mut();
        let unopened =
            |file: &PathBuf| ProjectPlugin::new(file.clone(), Arc::clone(environment), self.options.plugins.clone());
        plugins.entry(file).or_insert_with_key(unopened).clone()
    }

    /// The nearest folder upwards that holds any of the files that mark a project.
    fn root_of(&self, folder: &Path) -> Option<PathBuf> {
        if let Some(root) = self.roots.borrow().get(folder) {
            return root.clone();
        }
        let is_root = |folder: &&Path| PLUGINS.iter().chain([&PROJECT_FILE]).any(|name| folder.join(name).is_file());
        let root = folder.ancestors().find(is_root).map(Path::to_owned);
        self.roots.borrow_mut().insert(folder.to_owned(), root.clone());
        root
    }

    fn read_environment(&self, root: &Path) -> Environment {
        let path = root.join(".env");
        // A folder of this name is someone's Python environment, and a pipe could let the load wait for ever.
        if !path.is_file() {
            return Ok(Arc::default());
        }
        let text = match read(&path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_owned()),
            Err(error) => Err(format!("the file cannot be read: {error}")),
        };
        let known = text.as_deref().unwrap_or_default();
        let file = self.files.add(shown_path(&path), Format::Yaml, known);
        let text = text.map_err(|message| (Place { file, ..Place::default() }, message))?;
        let pairs = parse_env_file(&text).map_err(|error| {
            let line: usize = text.split_inclusive('\n').take(error.line - 1).map(str::len).sum();
            let offset = line + text[line..].find(&error.text).unwrap_or_default();
            (
                Place { file, offset, len: error.text.len() },
                format!("{:?} is neither NAME=value nor NAME: value", error.text),
            )
        })?;
        Ok(Arc::new(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }

    /// Variables given to the program, over those of a `.env`.
    fn given_variables(&self, of_file: Option<Arc<BTreeMap<Box<str>, Box<str>>>>) -> Arc<BTreeMap<Box<str>, Box<str>>> {
        let mut environment = of_file.unwrap_or_default();
        if !self.options.variables.is_empty() {
            let given =
                self.options.variables.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
            Arc::make_mut(&mut environment).extend(given);
        }
        environment
    }
}

/// What stands where a project without a plugin would have it, and is no file: a folder, a pipe, a link that leads nowhere.
pub(super) fn no_plugin_file(project: &Project) -> Option<PathBuf> {
    let folders = [&project.folder, &project.root];
    let places = folders.into_iter().flat_map(|folder| PLUGINS.map(|name| folder.join(name)));
    places.into_iter().find(|path| path.symlink_metadata().is_ok_and(|_| !path.is_file()))
}

/// The path from `/`, `.` and `..` resolved by text as Go's `filepath.Abs` does: a link stays a link.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    let whole = env::current_dir().unwrap_or_default().join(path);
    let mut clean = PathBuf::new();
    for component in whole.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// The path as messages show it: from the working directory where it lies in it.
pub fn shown_path(path: &Path) -> PathBuf {
    let here = env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path).to_owned()
}
