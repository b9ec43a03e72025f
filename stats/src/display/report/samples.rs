//! Samples of failures, short: --json has them whole.

use super::page::Text;
use crate::display::text::{one_line, LINE_CHARS_MAX, MESSAGE_CHARS_MAX, NAME_CHARS_MAX};
use crate::display::units::{bytes, latency};
use crate::failure::{FailureSample, SampleTiming, SampledMessage};
use crate::summary::Summary;

/// Samples shown, one of each sort. What is common to them is seen in a few; more push the rest of the report out of sight.
const SHOWN_MAX: usize = 5;

/// The first failure of each of the first few sorts, if any were kept.
pub(super) fn samples(text: &mut Text, summary: &Summary) {
    let all = &summary.failure_samples;
    if all.is_empty() {
        return;
    }
    let mut shown: Vec<&FailureSample> = Vec::new();
    for sample in all {
        let sort =
            |sample: &FailureSample| (sample.case.clone(), sample.step.clone(), sample.setup, sample.kind.clone());
        if shown.len() < SHOWN_MAX && !shown.iter().any(|other| sort(other) == sort(sample)) {
            shown.push(sample);
        }
    }
    let more = if shown.len() == all.len() { "" } else { "; --json has them all" };
    text.heading(&format!("Failure samples ({} of {}{more})", shown.len(), all.len()));
    for sample in shown {
        one(text, sample);
    }
    match summary.failure_samples_left_out {
        0 => {}
        1 => text.line("  1 more was left out: the samples of a run are bounded"),
        count => text.line(&format!("  {count} more were left out: the samples of a run are bounded")),
    }
}

fn one(text: &mut Text, sample: &FailureSample) {
    let (step, kind) = (one_line(&sample.step, NAME_CHARS_MAX), one_line(&sample.kind, NAME_CHARS_MAX));
    let what = format!("  {step}, {kind} at {:.3} s: {}", sample.at_s, one_line(&sample.message, MESSAGE_CHARS_MAX));
    let what = text.paint.red(&what);
    text.line(&what);
    side(text, "    > ", Some(&sample.request), "nothing was sent");
    side(text, "    < ", sample.response.as_ref(), "no response");
    text.line(&format!("      {}", times(&sample.timing)));
}

/// The first line of a message and the start of its body.
fn side(text: &mut Text, mark: &str, message: Option<&SampledMessage>, none: &str) {
    let Some(message) = message else { return text.line(&format!("{mark}{none}")) };
    let first = message.head.lines().next().unwrap_or(none);
    text.line(&format!("{mark}{}", one_line(first, LINE_CHARS_MAX)));
    if !message.body.is_empty() {
        let size = bytes(message.body_bytes);
        text.line(&format!("      body ({size}): {}", one_line(&message.body, MESSAGE_CHARS_MAX)));
    }
}

/// When it was where, from when it was due.
fn times(timing: &SampleTiming) -> String {
    let after = |at_us: u64| latency(at_us.saturating_sub(timing.due_us) as f64);
    let mut times = Vec::new();
    times.extend(timing.sent_us.map(|at_us| format!("sent {}", after(at_us))));
    times.extend(timing.first_byte_us.map(|at_us| format!("first byte {}", after(at_us))));
    times.push(format!("over {}", after(timing.done_us)));
    format!("from when it was due: {}; service time {}", times.join(", "), latency(timing.service_us as f64))
}
