//! Lists of CPUs in the kernel's own notation: `0,2-3` (Documentation/admin-guide/kernel-parameters, "cpu lists").

/// CPU numbers in ascending order, none twice, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CpuList(pub(crate) Vec<usize>);

/// The highest CPU number taken: Linux has at most 8,192 CPUs (`CONFIG_NR_CPUS`), and the bound keeps `0-999999999`
/// from becoming a list.
const CPU_MAX: usize = 8191;

/// Parses a list such as `0,2-3`.
///
/// # Errors
/// A sentence for an empty list, a part that is no number or range, a range that runs backwards, and a CPU given twice.
pub(crate) fn parse_cpu_list(text: &str) -> Result<CpuList, String> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        // A single CPU is a range from itself to itself.
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (parse_cpu(first, part)?, parse_cpu(last, part)?);
        if first > last {
            return Err(format!("the range {part} runs backwards; write {last}-{first}"));
        }
        for cpu in first..=last {
            if cpus.contains(&cpu) {
                return Err(format!("CPU {cpu} is given twice"));
            }
            cpus.push(cpu);
        }
    }
    cpus.sort_unstable();
    Ok(CpuList(cpus))
}

fn parse_cpu(text: &str, part: &str) -> Result<usize, String> {
    // `parse` alone would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<usize>() {
        Ok(cpu) if digits && cpu <= CPU_MAX => Ok(cpu),
        Ok(_) if digits => Err(format!("there is no CPU {text}: the highest number Linux knows is {CPU_MAX}")),
        _ => Err(format!("\"{part}\" is not a CPU number or a range; write a list such as 0,2-3")),
    }
}

/// The same notation, for people: `0-3,6`.
pub(crate) fn format_cpu_list(cpus: &[usize]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while at < cpus.len() {
        let mut end = at;
        while end + 1 < cpus.len() && cpus[end + 1] == cpus[end] + 1 {
            end += 1;
        }
        parts.push(if end == at { cpus[at].to_string() } else { format!("{}-{}", cpus[at], cpus[end]) });
        at = end + 1;
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<usize>, String> {
        parse_cpu_list(text).map(|list| list.0)
    }

    #[test]
    fn numbers_and_ranges_are_read_in_any_order() {
        assert_eq!(list("0"), Ok(vec![0]));
        assert_eq!(list("0,2-3"), Ok(vec![0, 2, 3]));
        assert_eq!(list("2-3,0"), Ok(vec![0, 2, 3]));
        assert_eq!(list(" 1 , 4 "), Ok(vec![1, 4]));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(list("").unwrap_err().contains("not a CPU number"));
        assert!(list("0,,1").unwrap_err().contains("not a CPU number"));
        assert!(list("-1").unwrap_err().contains("\"-1\""));
        assert!(list("+1").is_err());
        assert!(list("a").unwrap_err().contains("\"a\""));
        assert!(list("3-2").unwrap_err().contains("write 2-3"));
        assert!(list("0,0").unwrap_err().contains("CPU 0 is given twice"));
        assert!(list("0-3,2").unwrap_err().contains("CPU 2 is given twice"));
        assert!(list("0-99999999999").unwrap_err().contains("highest number"));
    }

    #[test]
    fn lists_are_shown_as_they_are_written() {
        assert_eq!(format_cpu_list(&[0, 1, 2, 3, 6]), "0-3,6");
        assert_eq!(format_cpu_list(&[5]), "5");
        assert_eq!(format_cpu_list(&[]), "");
    }
}
