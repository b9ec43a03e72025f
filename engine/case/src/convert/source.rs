//! What is read, and what is written.

/// The form of a file that is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A test case in JSON.
    Json,
    /// A test case in YAML.
    Yaml,
    /// An HTTP Archive 1.2, as browsers and proxies write it.
    Har,
    /// A Postman collection 2.0 or 2.1.
    Postman,
    /// curl commands as typed in a shell.
    Curl,
}

/// The form of a case file that is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum CaseFormat {
    /// Indented by four spaces, as hrp writes it.
    #[default]
    Json,
    /// Block style.
    Yaml,
}

impl Source {
    /// The extensions such files have, in lower case; hrp reads only these (hrp spec section 18).
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Source::Json | Source::Postman => &["json"],
            Source::Yaml => &["yaml", "yml"],
            Source::Har => &["har"],
            Source::Curl => &["txt", "curl"],
        }
    }

    /// The form of a file with this extension; none for one that belongs to none. A `.json` file is looked into: a Postman
    /// collection has `info` and `item`, a test case `teststeps`.
    pub fn of_file(extension: &str, text: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        let found = [Source::Json, Source::Yaml, Source::Har, Source::Curl]
            .into_iter()
            .find(|source| source.extensions().contains(&&*extension))?;
        let has = |key: &str| text.contains(key);
        Some(match found {
            Source::Json
                if has("\"item\"") && has("\"info\"") && !text.to_ascii_lowercase().contains("\"teststeps\"") =>
            {
                Source::Postman
            }
            other => other,
        })
    }
}

impl CaseFormat {
    /// The extension of a file in this form.
    pub fn extension(self) -> &'static str {
        match self {
            CaseFormat::Json => "json",
            CaseFormat::Yaml => "yaml",
        }
    }
}
