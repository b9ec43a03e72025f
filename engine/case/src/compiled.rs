//! Searches and patterns made of texts that are known only when a step runs, kept for the next execution.

use std::{cell::RefCell, rc::Rc};

use regex::Regex;

use crate::response::{repair_quotes, Search};

/// How many of each kind a thread keeps. Cases have a few steps with such texts, and each mostly says the same.
const KEPT: usize = 64;

/// Texts longer than this are compiled each time: they are hardly the same twice.
const MAX_KEPT_TEXT_BYTES: usize = 1024;

thread_local! {
    static SEARCHES: RefCell<Kept<Option<Rc<Search>>>> = const { RefCell::new(Kept::new()) };
    static PATTERNS: RefCell<Kept<Option<Rc<Regex>>>> = const { RefCell::new(Kept::new()) };
}

/// The search a text stands for; none where the text is a value itself.
pub(crate) fn search(text: &str) -> Option<Rc<Search>> {
    // Most values of rows and variables are none, and need no place among those that are kept.
    if !Search::looks_like_one(text) {
        return None;
    }
    let compile = |text: &str| Search::compile(&repair_quotes(text)).ok().flatten().map(Rc::new);
    SEARCHES.with_borrow_mut(|kept| kept.get(text, compile))
}

/// A pattern; none where it is not valid.
pub(crate) fn pattern(text: &str) -> Option<Rc<Regex>> {
    PATTERNS.with_borrow_mut(|kept| kept.get(text, |text| Regex::new(text).ok().map(Rc::new)))
}

/// What texts were compiled to, the oldest replaced first.
struct Kept<T> {
    entries: Vec<(Box<str>, T)>,
    next: usize,
}

impl<T: Clone> Kept<T> {
    const fn new() -> Self {
        Kept { entries: Vec::new(), next: 0 }
    }

    fn get(&mut self, text: &str, compile: impl FnOnce(&str) -> T) -> T {
        if let Some((_, known)) = self.entries.iter().find(|(known, _)| **known == *text) {
            return known.clone();
        }
        let made = compile(text);
        if text.len() <= MAX_KEPT_TEXT_BYTES {
            let entry = (text.into(), made.clone());
            if self.entries.len() < KEPT {
                self.entries.push(entry);
            } else {
                self.entries[self.next] = entry;
                self.next = (self.next + 1) % KEPT;
            }
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_replaced_and_long_texts_are_not_kept() {
        let mut kept = Kept::new();
        let mut compiled = 0;
        let mut get = |kept: &mut Kept<usize>, text: &str| {
            kept.get(text, |text| {
                compiled += 1;
                text.len()
            });
            compiled
        };
        for n in 0..KEPT {
            assert_eq!(get(&mut kept, &n.to_string()), n + 1);
        }
        assert_eq!(get(&mut kept, "0"), KEPT);
        assert_eq!(get(&mut kept, "new"), KEPT + 1);
        assert_eq!(get(&mut kept, "1"), KEPT + 1);
        assert_eq!(get(&mut kept, "0"), KEPT + 2);
        let long = "x".repeat(MAX_KEPT_TEXT_BYTES + 1);
        assert_eq!((get(&mut kept, &long), get(&mut kept, &long)), (KEPT + 3, KEPT + 4));
        assert_eq!(kept.entries.len(), KEPT);
    }

    #[test]
    fn the_same_text_is_the_same_search() {
        let first = search("body.a").unwrap();
        assert!(Rc::ptr_eq(&first, &search("body.a").unwrap()));
        assert!(search("nobody").is_none() && pattern("(").is_none());
        assert!(pattern("^a").unwrap().is_match("ab"));
    }
}
