//! The report of a run as one HTML page that needs no network.
//!
//! `page.html` is the frame, `page.css`, `format.js`, `charts.js` and `page.js` what it looks like and does; uPlot in `vendor/` draws the
//! charts. The run itself is one piece of JSON, which `data` puts together from the summary, `charts` from the spans and `environment`
//! from what surrounds the load.
//!
//! Guarantees:
//! - a text from outside stays text: in the JSON no character of it can end its element, the scripts write it as text nodes only, and the
//!   page's own policy runs no script and loads nothing but what the page was made with;
//! - the page is bounded whatever the run was: in the number of its points, curves, rows and samples, and in the length of each text;
//! - what it leaves out it says;
//! - every figure is from the summary or a merged distribution: none is estimated.
//!
//! Reading order: `data`, `charts`, `environment`, `figure`, `page`; then the scripts.

mod charts;
mod data;
mod environment;
mod figure;
mod page;
mod text;

#[cfg(test)]
mod made_up;
#[cfg(test)]
mod tests;

pub use page::html_report;
