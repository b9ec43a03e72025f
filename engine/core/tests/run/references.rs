//! Referenced cases (hrp spec 7.11, 12.2, 14.8).
