//! The frame with everything put into it.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::data::PageData;
use crate::display::text::one_line;
use crate::kept::{KeptRun, KeptSecond};

const FRAME: &str = include_str!("page.html");

/// The longest title of a browser's tab that is any use, characters.
const TITLE_CHARS_MAX: usize = 80;

/// The report of a run as a page of its own.
///
/// `spans` are the run's seconds, rising, merged to some hundreds of spans
/// ([`merged_spans`](crate::kept::merged_spans)): each is a point of every chart.
pub fn html_report(run: &KeptRun, spans: impl IntoIterator<Item = KeptSecond>) -> String {
    let data = PageData::new(run, spans);
    let json = serde_json::to_string(&data).expect("texts and numbers under names that are texts");
    let title = format!("{} {}: {}", run.summary.run.command, run.summary.run.name, data.headline());
    let nonce = nonce(&json);
    fill(FRAME, |place| match place {
        "title" => escaped_html(&one_line(title.trim(), TITLE_CHARS_MAX)),
        "nonce" => nonce.clone(),
        "chart_css" => include_str!("vendor/uPlot.min.css").to_owned(),
        "page_css" => include_str!("page.css").to_owned(),
        "chart_js" => include_str!("vendor/uPlot.iife.min.js").to_owned(),
        "page_js" => concat!(include_str!("format.js"), include_str!("charts.js"), include_str!("page.js")).to_owned(),
        "data" => escaped_json(&json),
        unknown => unreachable!("the frame has a place of an unknown name: {unknown}"),
    })
}

/// Puts a text in each `{{place}}` of the frame. What is put in is not looked at again.
fn fill(frame: &str, text_of: impl Fn(&str) -> String) -> String {
    let mut parts = frame.split("{{");
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (place, rest) = part.split_once("}}").expect("each place of the frame is closed");
        page.push_str(&text_of(place));
        page.push_str(rest);
    }
    page
}

/// What the page's own scripts and styles carry and the policy asks for (CSP Level 3, section 6.7.2): a text in the page cannot know it,
/// as it depends on every figure of the run. Of the same run it is the same, so that two reports of it are equal.
fn nonce(json: &str) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, json).hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

/// JSON that can stand within a `script` element: what could end the element, begin a comment or an entity, or end a line of an old
/// JavaScript is written as its number. In JSON these characters stand in texts alone.
pub(super) fn escaped_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A text that can stand within an element or a quoted attribute.
pub(super) fn escaped_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_a_script_is_written_as_numbers() {
        let text = "</script><!--&amp;\u{2028}\u{2029}\"é";
        let json = serde_json::to_string(text).unwrap();
        let escaped = escaped_json(&json);
        assert_eq!(escaped, r#""\u003c/script\u003e\u003c!--\u0026amp;\u2028\u2029\"é""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
    }

    #[test]
    fn what_is_markup_becomes_text() {
        assert_eq!(escaped_html("<a b=\"c\" d='e'>&"), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
    }

    #[test]
    fn places_are_filled_once() {
        assert_eq!(fill("a {{x}} b {{y}}", |place| format!("[{place} {{{{z}}}}]")), "a [x {{z}}] b [y {{z}}]");
    }
}
