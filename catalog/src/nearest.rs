//! The known name that is meant by an unknown one: by letters to insert, delete or replace.

/// The nearest of `names`, where it is near enough to be a slip of the hand.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.replace('_', "-").to_lowercase();
    names
        .into_iter()
        .map(|name| (distance(&wanted, &name.replace('_', "-").to_lowercase()), name))
        .filter(|(distance, _)| *distance <= 1 + wanted.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips() {
        let check = |wanted, expect| {
            assert_eq!(nearest(wanted, ["music", "git_demo", "people"]), expect, "{wanted}");
        };
        check("musik", Some("music"));
        check("Git-Demo", Some("git_demo"));
        check("peple", Some("people"));
        check("orders", None);
        check("", None);
    }
}
