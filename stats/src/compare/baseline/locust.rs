//! Locust's `PREFIX_stats.csv`: a row for each type and name, and one that adds them up. Times are in milliseconds.
//!
//! Its latencies are of all requests, failed ones too, and its percentiles are rounded to two digits. Columns are found by their
//! names: which percentiles there are can be set.

use csv::StringRecord;

use super::text::{bounded, count, number};
use super::{BaselineError, ROWS_MAX};
use crate::compare::figure::{Figure, Figures};
use crate::compare::measured::{Measured, MeasuredRow, RowName};

/// Name of the row that adds up the others.
const AGGREGATED: &str = "Aggregated";

/// Whether a text is such a file.
pub(super) fn is_it(text: &str) -> bool {
    let header = text.lines().next().unwrap_or_default().replace('"', "");
    header.starts_with("Type,Name,") && header.contains("Request Count")
}

/// Reads a file.
pub(super) fn read(text: &str) -> Result<Measured, BaselineError> {
    let incomplete = |what: String| BaselineError::Incomplete { tool: "Locust's _stats.csv", what };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| incomplete(error.to_string()))?.clone();
    let columns = Columns::of(&header);
    if columns.requests.is_none() {
        return Err(incomplete("it has no column \"Request Count\"".into()));
    }
    let mut measured = Measured::default();
    let mut aggregated = None;
    for record in reader.records() {
        let record = record.map_err(|error| incomplete(error.to_string()))?;
        let row = columns.row(&record);
        if record.get(1) == Some(AGGREGATED) {
            aggregated = Some(row);
        } else if measured.rows.len() < ROWS_MAX {
            measured.rows.push(row);
        }
    }
    let mut all = aggregated
        .ok_or_else(|| incomplete(format!("the row \"{AGGREGATED}\" is missing; was it written to its end?")))?;
    all.name = RowName::default();
    measured.all = all;
    measured.rows.retain(|row| row.requests > 0);
    Ok(measured)
}

/// Where the columns are.
struct Columns {
    requests: Option<usize>,
    failures: Option<usize>,
    /// Figures of time.
    times: Vec<(Figure, usize)>,
    rps: Option<usize>,
}

impl Columns {
    fn of(header: &StringRecord) -> Self {
        let place = |name: &str| header.iter().position(|column| column.trim() == name);
        // The maximum is exact, 100% is rounded.
        let times = [
            (Figure::Mean, "Average Response Time"),
            (Figure::P50, "50%"),
            (Figure::P90, "90%"),
            (Figure::P95, "95%"),
            (Figure::P99, "99%"),
            (Figure::Max, "Max Response Time"),
        ];
        Self {
            requests: place("Request Count"),
            failures: place("Failure Count"),
            times: times.into_iter().filter_map(|(figure, name)| Some((figure, place(name)?))).collect(),
            rps: place("Requests/s"),
        }
    }

    fn row(&self, record: &StringRecord) -> MeasuredRow {
        let cell = |place: Option<usize>| place.and_then(|place| record.get(place)).unwrap_or_default();
        let requests = count(cell(self.requests)).unwrap_or(0);
        let failures = count(cell(self.failures)).unwrap_or(0).min(requests);
        let mut figures = Figures::default();
        figures.set(Figure::Rps, number(cell(self.rps)));
        figures.set_failures(failures, requests);
        for (figure, place) in &self.times {
            // "N/A" where there was nothing.
            figures.set(*figure, number(cell(Some(*place))).map(|ms| ms * 1e3));
        }
        let label = match cell(Some(0)).trim() {
            "" | "None" => None,
            method => Some(bounded(&format!("request-{method}"))),
        };
        let name = RowName { case: None, label, name: bounded(cell(Some(1))) };
        MeasuredRow { name, requests, failures, samples: requests, figures, spans: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::baseline::read as read_any;
    use crate::compare::baseline::tests::{figures, survives_damage};
    use crate::compare::measured::Source;

    const SAMPLE: &str = "\
Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%
GET,/api/products/4471,41220,0,118,131.44,44.0,1204.5,8412.0,34.35,0.0,120,140,160,170,220,270,340,400,810,1100,1200
POST,\"/cart, \"\"big\"\"\",1000,25,210,245,120,890,145,5.0,0.13,210,280,320,350,420,480,520,550,600,620,890
GET,/never,0,0,0,0.0,0,0,0.0,0.0,0.0,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A
,Aggregated,42220,25,120,134.1,44.0,1204.5,8216.2,39.35,0.13,120,140,160,180,220,280,350,410,800,1100,1200
";

    /// As Locust 2.47.0 wrote it: 5 users for 10 s at `pummel target`, three tasks.
    const REAL: &str = include_str!("samples/locust-2.47.0_stats.csv");

    survives_damage!(SAMPLE);

    #[test]
    fn a_file_of_locust_itself_is_read() {
        let (source, measured) = read_any(REAL.as_bytes()).unwrap();
        let counts = |row: &MeasuredRow| (row.name.name.clone(), row.requests, row.failures);
        let rows =
            [("/hello/a", 4_721, 0), ("/status/404", 1_662, 1_662), ("the \"post\", with a comma", 1_644, 1_644)];
        assert_eq!(measured.rows.iter().map(counts).collect::<Vec<_>>(), rows.map(|(name, n, m)| (name.into(), n, m)));
        assert_eq!((source, counts(&measured.all)), (Source::Locust, (String::new(), 8_027, 3_306)));
        let ms = [3.904_522_885, 3.0, 7.0, 8.0, 12.0, 69.787_520_999].map(|ms| Some(ms * 1e3));
        let share = Some(0.411_86);
        assert_eq!(figures(&measured.all), [Some(889.034_087), share, ms[0], ms[1], ms[2], ms[3], ms[4], ms[5]]);
    }

    #[test]
    fn rows_are_steps_and_the_last_is_all() {
        let (source, measured) = read_any(SAMPLE.as_bytes()).unwrap();
        assert_eq!(source, Source::Locust);
        let [products, cart] = &measured.rows[..] else { panic!("{:?}", measured.rows) };
        let name = |row: &MeasuredRow| (row.name.label.clone().unwrap(), row.name.name.clone(), row.name.case.clone());
        assert_eq!(name(products), ("request-GET".into(), "/api/products/4471".into(), None));
        assert_eq!(name(cart), ("request-POST".into(), "/cart, \"big\"".into(), None));
        let ms = [131.44, 120.0, 220.0, 270.0, 400.0, 1204.5].map(|ms| Some(ms * 1e3));
        assert_eq!(figures(products), [Some(34.35), Some(0.0), ms[0], ms[1], ms[2], ms[3], ms[4], ms[5]]);
        assert_eq!((cart.requests, cart.failures, figures(cart)[1]), (1_000, 25, Some(0.025)));
        let all = &measured.all;
        assert_eq!(
            (all.requests, all.failures, figures(all)[0], &all.name),
            (42_220, 25, Some(39.35), &RowName::default())
        );
    }

    #[test]
    fn a_file_that_is_not_whole_says_so() {
        let cut = SAMPLE.lines().take(2).collect::<Vec<_>>().join("\n");
        let error = read_any(cut.as_bytes()).unwrap_err().to_string();
        let text = "looks like Locust's _stats.csv, but the row \"Aggregated\" is missing; was it written to its end?";
        assert_eq!(error, text);
    }

    #[test]
    fn other_percentiles_than_usual_are_no_harm() {
        let text = "Type,Name,Request Count,Failure Count,50%,99%\nNone,Aggregated,10,0,5,7\n";
        let all = read_any(text.as_bytes()).unwrap().1.all;
        assert_eq!(figures(&all), [None, Some(0.0), None, Some(5_000.0), None, None, Some(7_000.0), None]);
    }
}
