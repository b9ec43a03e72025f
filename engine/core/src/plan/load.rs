//! How much load a run makes, and by which model.

use std::time::Duration;

use serde_json::{json, Value};

/// How many virtual users there are, what makes them work, and when they end. A run ends at the first of its bounds.
#[derive(Debug, Clone)]
pub struct Load {
    /// Most virtual users at a time. At least 1, at most [`MAX_USERS`].
    pub users: u32,
    /// What decides when an iteration begins.
    pub model: LoadModel,
    /// Iterations per user, or no bound.
    pub loops_per_user: Option<u64>,
    /// Iterations in the whole run, shared by all users, or no bound.
    pub total_iterations: Option<u64>,
    /// Requests in the whole run, shared by all users, or no bound (`hit -n`).
    pub total_requests: Option<u64>,
    /// How long load is made, from the start of the first user, or no bound.
    pub run_time: Option<Duration>,
}

/// What decides when an iteration begins (Schroeder, Wierman, Harchol-Balter: "Open Versus Closed", NSDI 2006).
#[derive(Debug, Clone)]
pub enum LoadModel {
    /// The end of the one before: a number of users, each busy with one after the other.
    Closed(ClosedLoad),
    /// Its time: iterations arrive whatever the server does, each taken by a user that is free.
    Open(OpenLoad),
}

/// The users of a closed run over time.
#[derive(Debug, Clone)]
pub struct ClosedLoad {
    /// Users started per second; infinite starts all at once. Above 0.
    pub spawn_rate: f64,
    /// The number of users over time, from 0 on; after the last stage it stays. Without any, all users are started at the spawn
    /// rate. No target is above [`Load::users`].
    pub stages: Vec<Stage>,
    /// The least time between the beginnings of two iterations of a user.
    pub pacing: Option<Duration>,
}

/// The arrivals of an open run.
#[derive(Debug, Clone)]
pub struct OpenLoad {
    /// Iterations per second at the start. 0 or more.
    pub rate: f64,
    /// The rate over time, from the first on; after the last stage it stays.
    pub stages: Vec<Stage>,
    /// How arrivals lie between each other.
    pub spacing: Spacing,
    /// What becomes of arrivals for which no user was free in time.
    pub catch_up: CatchUp,
}

/// A part of a course over time: it moves evenly to its target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// How long it takes; none at all is a jump.
    pub over: Duration,
    /// Users, or iterations per second, at its end. 0 or more.
    pub target: f64,
}

/// How arrivals lie between each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// Evenly.
    Even,
    /// As those of many independent visitors: a Poisson process, the same for the same seed.
    Poisson {
        /// What the gaps are drawn from.
        seed: u64,
    },
}

/// What becomes of arrivals for which no user was free in time. Their intended times stay what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// They are made as soon as a user is free.
    #[default]
    Burst,
    /// The same, no faster than 1.25 times the rate.
    Smooth,
    /// They are not made, and count as missed.
    Drop,
}

/// The most users of one run: a typing error beyond it would only exhaust memory.
pub const MAX_USERS: u32 = 1_000_000;

/// The highest rate of anything but arrivals, per second: far beyond one machine, and small enough that `n / rate` stays exact to
/// the nanosecond.
pub const MAX_RATE: f64 = 1e9;

/// The highest rate of the arrivals of an open run, per second: ten times what the best server answers on one machine, and no more
/// than can be counted as they come due, Poisson ones too, of which each has to be drawn.
pub const MAX_ARRIVAL_RATE: f64 = 1e7;

impl Load {
    /// So many users that are started at once and work until something else ends the run.
    pub fn closed(users: u32) -> Self {
        let model = LoadModel::Closed(ClosedLoad { spawn_rate: f64::INFINITY, stages: Vec::new(), pacing: None });
        Self { users, model, loops_per_user: None, total_iterations: None, total_requests: None, run_time: None }
    }

    /// The arrivals, in an open run.
    pub fn open(&self) -> Option<&OpenLoad> {
        match &self.model {
            LoadModel::Open(open) => Some(open),
            LoadModel::Closed(_) => None,
        }
    }

    /// The users over time, in a closed run.
    pub fn as_closed(&self) -> Option<&ClosedLoad> {
        match &self.model {
            LoadModel::Closed(closed) => Some(closed),
            LoadModel::Open(_) => None,
        }
    }

    /// Its part of the plan in a summary: fields that are `null` where the model has none such.
    pub(super) fn describe(&self) -> Value {
        let seconds = |time: Duration| json!(time.as_secs_f64());
        let (closed, open) = (self.as_closed(), self.open());
        let stages = closed.map(|closed| &closed.stages).or(open.map(|open| &open.stages));
        let stages = stages.filter(|stages| !stages.is_empty());
        json!({
            "users": self.users,
            "spawn_rate_per_s": closed.map(|closed| closed.spawn_rate).filter(|rate| rate.is_finite()),
            "rate_per_s": open.map(|open| open.rate),
            "stages": stages.map(|stages| stages.iter().map(|stage| json!({
                "over_s": stage.over.as_secs_f64(),
                "target": stage.target,
            })).collect::<Vec<_>>()),
            "arrivals": open.map(|open| match open.spacing {
                Spacing::Even => "even",
                Spacing::Poisson { .. } => "poisson",
            }),
            "seed": open.and_then(|open| match open.spacing {
                Spacing::Even => None,
                Spacing::Poisson { seed } => Some(seed),
            }),
            "catch_up": open.map(|open| match open.catch_up {
                CatchUp::Burst => "burst",
                CatchUp::Smooth => "smooth",
                CatchUp::Drop => "drop",
            }),
            "iteration_pacing_s": closed.and_then(|closed| closed.pacing).map(seconds),
            "loops_per_user": self.loops_per_user,
            "total_iterations": self.total_iterations,
            "total_requests": self.total_requests,
            "run_time_s": self.run_time.map(seconds),
        })
    }
}
