//! How much longer Pummel takes to its first request where the case has 100,000 rows of data to load.

use std::fmt::Write;

use crate::{
    bench::{arguments, Bench},
    error::BenchError,
    first_request::once,
    goals::Verdict,
    spread::Spread,
    table,
};

/// Rows of the file, besides its heading.
const ROWS: usize = 100_000;
/// Starts of the program, with the file and without.
const TIMES: usize = 5;
/// What the file may add to the start.
const LOAD_MS_MAX: f64 = 1000.0;
/// The file, in the folder clients run in.
const CSV: &str = "rows.csv";

/// Starts Pummel on a case with the rows and on the same case with a single one, in turn.
pub(crate) fn run(bench: &Bench) -> Result<(String, Vec<Verdict>), BenchError> {
    bench.work.write(CSV, &rows(ROWS))?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        with.push(first_bytes_ms(bench, &format!("\"${{parameterize({CSV})}}\""))?);
        without.push(first_bytes_ms(bench, "[[user-0, secret-0, 0]]")?);
    }
    let heading = ["from the start to the first request", "median ms", "least ms", "most ms"].map(String::from);
    let mut lines = vec![heading.to_vec()];
    for (name, times) in [(format!("with {ROWS} rows"), &with), ("with one row".into(), &without)] {
        let spread = Spread::of(times.iter().copied());
        let figure = |of: fn(Spread) -> f64| table::or_dash(spread.map(|spread| format!("{:.1}", of(spread))));
        lines.push(vec![name, figure(|of| of.median), figure(|of| of.min), figure(|of| of.max)]);
    }
    let added = Spread::of(with.iter().zip(&without).map(|(with, without)| with - without));
    let what = format!("what {ROWS} rows add to the start, median");
    let verdict = added.map(|added| Verdict::at_most(what, added.median, LOAD_MS_MAX, |ms| format!("{ms:.0} ms")));
    Ok((table::markdown(&lines), verdict.into_iter().collect()))
}

/// One start on a case with these parameters.
fn first_bytes_ms(bench: &Bench, parameters: &str) -> Result<f64, BenchError> {
    let stamps = once(bench, |url| {
        let case = bench.work.write("csv.yml", &case(url, parameters))?.to_string_lossy().into_owned();
        let load = ["boom", &case, "--spawn-count", "1", "--loop-count", "1", "--disable-console-output"];
        Ok(arguments(load))
    })?;
    Ok(stamps.first_bytes_ms)
}

fn case(url: &str, parameters: &str) -> String {
    format!(
        "config:\n  name: csv\n  base_url: {url}\n  parameters: {{user-secret-number: {parameters}}}\n\
         teststeps:\n- request: {{method: GET, url: /login/$user, headers: {{X-Secret: $secret, X-Number: $number}}}}\n"
    )
}

/// A CSV file of three columns.
fn rows(count: usize) -> String {
    let mut text = String::from("user,secret,number\n");
    for n in 0..count {
        let _ = writeln!(text, "user-{n},secret-{n},{n}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{case, rows};

    #[test]
    fn every_row_has_a_value_for_each_column() {
        assert_eq!(rows(2), "user,secret,number\nuser-0,secret-0,0\nuser-1,secret-1,1\n");
        assert!(case("http://h/", "[[a, b, 1]]").contains("parameters: {user-secret-number: [[a, b, 1]]}\n"));
    }
}
