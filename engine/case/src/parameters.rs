//! Data-driven rows: which row an iteration gets (hrp spec 7.6, 7.7).

/// The parameters of a case: tables of values, and the order in which iterations take their rows.
///
/// Values stand in the compiled steps; what an iteration carries is one row number for each table.
#[derive(Debug, Clone)]
pub struct Parameters {
    pub(crate) tables: Box<[ParameterTable]>,
    /// `parameters_setting.limit`; 0 where there is none.
    pub(crate) limit: u64,
    /// Each row at most once in a load run, then the user ends.
    pub(crate) unique: bool,
}

/// One key of `parameters`.
#[derive(Debug, Clone)]
pub(crate) struct ParameterTable {
    /// At least 1.
    pub(crate) rows: u32,
    pub(crate) random: bool,
}

impl Parameters {
    /// The rows of the cartesian product of all tables that are not random; at least 1.
    pub fn product(&self) -> u64 {
        let sequential = self.tables.iter().filter(|table| !table.random);
        sequential.map(|table| u64::from(table.rows)).fold(1, u64::saturating_mul)
    }

    /// How often a functional run runs the case: the limit, else each row of the product once; once where every table is random.
    pub fn runs(&self) -> u64 {
        if self.limit > 0 {
            self.limit
        } else {
            self.product()
        }
    }

    /// True where a load run may use each row only once (`pick_order: unique` with `unique_rows: true`).
    pub fn unique(&self) -> bool {
        self.unique
    }

    /// The rows of the iteration number `position`, from 0: the product in file order, the last table fastest, from its start
    /// again behind its end; random tables by themselves.
    pub fn pick(&self, position: u64, random: &mut fastrand::Rng, rows: &mut Vec<u32>) {
        rows.clear();
        rows.resize(self.tables.len(), 0);
        let mut rest = position % self.product();
        for (row, table) in rows.iter_mut().zip(&self.tables).rev() {
            if table.random {
                *row = random.u32(0..table.rows);
            } else {
                *row = (rest % u64::from(table.rows)) as u32;
                rest /= u64::from(table.rows);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(tables: &[(u32, bool)], limit: u64) -> Parameters {
        let tables = tables.iter().map(|(rows, random)| ParameterTable { rows: *rows, random: *random }).collect();
        Parameters { tables, limit, unique: false }
    }

    #[test]
    fn the_last_table_is_the_fastest_and_the_product_begins_again() {
        let parameters = parameters(&[(2, false), (3, false)], 0);
        let mut random = fastrand::Rng::with_seed(1);
        let mut rows = Vec::new();
        let mut all = Vec::new();
        for position in 0..7 {
            parameters.pick(position, &mut random, &mut rows);
            all.push((rows[0], rows[1]));
        }
        assert_eq!(all, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 0)]);
        assert_eq!((parameters.product(), parameters.runs()), (6, 6));
    }

    #[test]
    fn random_tables_do_not_count_and_a_limit_does() {
        let only_random = parameters(&[(5, true)], 0);
        assert_eq!((only_random.product(), only_random.runs()), (1, 1));
        assert_eq!(parameters(&[(2, false), (5, true)], 4).runs(), 4);
        let mut rows = Vec::new();
        let mut seen = [false; 5];
        let mut random = fastrand::Rng::with_seed(1);
        for position in 0..100 {
            only_random.pick(position, &mut random, &mut rows);
            seen[rows[0] as usize] = true;
        }
        assert_eq!(seen, [true; 5]);
    }
}
