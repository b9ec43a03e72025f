//! A comparison as people read it: text for a terminal, and Markdown for a pull request.
//!
//! `cells` are figures as text, `page` is the text, `markdown` the other.

mod cells;
mod markdown;
mod page;

pub use markdown::comparison_markdown;
pub use page::comparison_report;

#[cfg(test)]
mod tests;
