//! Numbers as short as they mean something, so that a page of many thousands stays small.

use serde::{Serialize, Serializer};

use crate::latency::Latency;

/// A figure of a chart: four significant digits, whole from a thousand on; `null` where it is no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure(pub(super) f64);

impl Figure {
    /// What is written of it.
    fn short(self) -> f64 {
        let size = self.0.abs();
        if size == 0.0 || size >= 1000.0 || !size.is_finite() {
            return self.0.round();
        }
        // The first digit of anything below 1e-9 stands beyond what a chart can show.
        let digits = (3 - size.log10().floor() as i32).min(12);
        let scale = 10_f64.powi(digits);
        (self.0 * scale).round() / scale
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let short = self.short();
        if !short.is_finite() {
            serializer.serialize_none()
        } else if short.fract() == 0.0 && short.abs() < 9e15 {
            serializer.serialize_i64(short as i64)
        } else {
            serializer.serialize_f64(short)
        }
    }
}

/// The twelve figures of a distribution, in the order of [`Latency`]'s fields; the scripts know it too.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figures(pub(super) Latency);

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of = &self.0;
        let moments = |value: Option<f64>| value.map(Figure);
        (
            of.count,
            of.min,
            moments(of.mean),
            moments(of.stddev),
            of.p50,
            of.p75,
            of.p90,
            of.p95,
            of.p99,
            of.p99_9,
            of.p99_99,
            of.max,
        )
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn figures_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (2.0 / 3.0, "0.6667"),
            (12.345_6, "12.35"),
            (999.96, "1000"),
            (1234.5, "1235"),
            (1_234_567.8, "1234568"),
            (0.000_123_456, "0.0001235"),
            (-0.5, "-0.5"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ] {
            assert_eq!(json(&Figure(value)), text, "{value}");
        }
    }

    #[test]
    fn a_latency_is_twelve_numbers() {
        assert_eq!(json(&Figures(Latency::default())), "[0,null,null,null,null,null,null,null,null,null,null,null]");
        let latency = Latency {
            count: 2,
            min: Some(1),
            mean: Some(1.5),
            stddev: Some(0.5),
            p50: Some(1),
            p75: Some(2),
            p90: Some(2),
            p95: Some(2),
            p99: Some(2),
            p99_9: Some(2),
            p99_99: Some(2),
            max: Some(2),
        };
        assert_eq!(json(&Figures(latency)), "[2,1,1.5,0.5,1,2,2,2,2,2,2,2]");
    }
}
