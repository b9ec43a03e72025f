//! HttpRunner v4 test cases: loaded, checked and compiled once.
