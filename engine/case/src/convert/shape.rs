//! What the case language declares of its keys (hrp spec 2, 3, 11.1, 12): enough to carry a case from YAML, where `8080` is text in
//! a header and a number in a body, to JSON, where it is what it is written as, and back.

/// What stands at a place of a case file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Any value, by its own type.
    Any,
    /// Text: a scalar as it is written.
    Text,
    /// A boolean, which YAML may write as `yes`.
    Switch,
    /// A list of texts.
    Texts,
    /// A map of the user's names to texts.
    TextMap,
    /// `extract`: names to expressions.
    Extract,
    /// `validate`: validators of both forms.
    Validators,
    /// `teststeps`.
    Steps,
    /// `request`.
    Request,
    /// An api or testcase: a path, or the thing itself.
    Reference(&'static [Field]),
    /// A map of declared keys.
    Map(&'static [Field]),
}

/// A declared key.
pub(super) type Field = (&'static str, Shape);

/// A case file.
pub(super) static CASE: [Field; 2] = [("config", Shape::Map(&CONFIG)), ("teststeps", Shape::Steps)];

static CONFIG: [Field; 21] = [
    ("name", Shape::Text),
    ("verify", Shape::Switch),
    ("base_url", Shape::Text),
    ("headers", Shape::TextMap),
    ("environs", Shape::TextMap),
    ("variables", Shape::Any),
    ("parameters", Shape::Any),
    ("parameters_setting", Shape::Map(&PARAMETERS_SETTING)),
    ("think_time", Shape::Map(&THINK_TIME_SETTING)),
    ("websocket", Shape::Map(&WEBSOCKET_SETTING)),
    ("request_timeout", Shape::Any),
    ("case_timeout", Shape::Any),
    ("export", Shape::Texts),
    ("weight", Shape::Any),
    ("path", Shape::Text),
    ("setup_case", Shape::Any),
    ("variables_scope", Shape::Text),
    ("plugin", Shape::Any),
    ("ios", Shape::Any),
    ("android", Shape::Any),
    ("auth", Shape::Map(&AUTH)),
];

static AUTH: [Field; 4] =
    [("type", Shape::Text), ("username", Shape::Text), ("password", Shape::Text), ("token", Shape::Text)];

static PARAMETERS_SETTING: [Field; 3] =
    [("pick_order", Shape::Text), ("strategies", Shape::Any), ("limit", Shape::Any)];

static THINK_TIME_SETTING: [Field; 3] = [("strategy", Shape::Text), ("setting", Shape::Any), ("limit", Shape::Any)];

static WEBSOCKET_SETTING: [Field; 3] =
    [("reconnection_times", Shape::Any), ("reconnection_interval", Shape::Any), ("max_message_size", Shape::Any)];

/// An entry of `teststeps`, and an api file.
pub(super) static STEP: [Field; 17] = [
    ("name", Shape::Text),
    ("variables", Shape::Any),
    ("setup_hooks", Shape::Texts),
    ("teardown_hooks", Shape::Texts),
    ("extract", Shape::Extract),
    ("validate", Shape::Validators),
    ("export", Shape::Texts),
    ("loops", Shape::Any),
    ("api", Shape::Reference(&STEP)),
    ("testcase", Shape::Reference(&CASE)),
    ("think_time", Shape::Map(&THINK_TIME)),
    ("request", Shape::Request),
    ("transaction", Shape::Map(&TRANSACTION)),
    ("rendezvous", Shape::Map(&RENDEZVOUS)),
    ("websocket", Shape::Map(&WEBSOCKET)),
    ("ios", Shape::Any),
    ("android", Shape::Any),
];

static THINK_TIME: [Field; 1] = [("time", Shape::Any)];

static TRANSACTION: [Field; 2] = [("name", Shape::Text), ("type", Shape::Text)];

static RENDEZVOUS: [Field; 4] =
    [("name", Shape::Text), ("number", Shape::Any), ("percent", Shape::Any), ("timeout", Shape::Any)];

static WEBSOCKET: [Field; 9] = [
    ("type", Shape::Text),
    ("url", Shape::Text),
    ("params", Shape::Any),
    ("headers", Shape::TextMap),
    ("new_connection", Shape::Switch),
    ("text", Shape::Any),
    ("binary", Shape::Any),
    ("close_status", Shape::Any),
    ("timeout", Shape::Any),
];

/// `request` of a step.
pub(super) static REQUEST: [Field; 14] = [
    ("method", Shape::Text),
    ("url", Shape::Text),
    ("http2", Shape::Switch),
    ("params", Shape::Any),
    ("headers", Shape::TextMap),
    ("cookies", Shape::TextMap),
    ("body", Shape::Any),
    ("json", Shape::Any),
    ("data", Shape::Any),
    ("timeout", Shape::Any),
    ("allow_redirects", Shape::Switch),
    ("verify", Shape::Switch),
    ("upload", Shape::Any),
    ("auth", Shape::Map(&AUTH)),
];
