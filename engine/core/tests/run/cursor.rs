//! Rows of the parameters (hrp spec 7.6, 7.7).
