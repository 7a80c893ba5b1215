//! Names of log objects, and which of them to read.
//!
//! A commit is `<first t:020>.parquet`; where it ends shows in the next name. What joins commits is
//! `<first t:020>-<last t:020>.parquet`. For a while (a crash, a grace period) both lie there.

use object_store::path::Path;

/// The transactions of a log object, as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub first: i64,
    /// None: a commit.
    pub last: Option<i64>,
}

impl Name {
    pub(super) fn commit(first: i64) -> Name {
        Name { first, last: None }
    }

    pub(super) fn joined(first: i64, last: i64) -> Name {
        Name { first, last: Some(last) }
    }

    pub(super) fn parse(file: &str) -> Option<Name> {
        let number = |digits: &str| {
            let plain = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse::<i64>().ok()).flatten()
        };
        let stem = file.strip_suffix(".parquet")?;
        match stem.split_once('-') {
            None => Some(Name::commit(number(stem)?)),
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Name::joined(first, last))
            }
        }
    }

    pub(super) fn path(self, folder: &Path) -> Path {
        let Name { first, last } = self;
        folder.clone().join(match last {
            None => format!("{first:020}.parquet"),
            Some(last) => format!("{first:020}-{last:020}.parquet"),
        })
    }
}

/// What to read of all that lies there, in order: what joins commits instead of them. And what that makes superfluous.
pub(super) fn cover<T>(mut all: Vec<T>, name: impl Fn(&T) -> Name) -> (Vec<T>, Vec<T>) {
    // Of those that begin at one t the widest comes first, a commit last.
    all.sort_by_key(|x| (name(x).first, std::cmp::Reverse(name(x).last)));
    // A listing in several answers may name an object twice: the second stands for nothing that may be removed.
    all.dedup_by_key(|x| name(x));
    let (mut read, mut superfluous) = (Vec::with_capacity(all.len()), Vec::new());
    let mut covered = i64::MIN;
    for x in all {
        let Name { first, last } = name(&x);
        let end = last.unwrap_or(first);
        if end <= covered {
            superfluous.push(x);
        } else {
            covered = end;
            read.push(x);
        }
    }
    (read, superfluous)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_come_back() {
        let folder = Path::from("s/log");
        for name in [Name::commit(1000), Name::joined(1000, 1000), Name::joined(5, 70_000)] {
            let path = name.path(&folder);
            assert_eq!(Name::parse(path.filename().unwrap()), Some(name), "{path}");
        }
        for other in ["x.parquet", "00000000000000001000.tmp", "1.parquet", "1-2.parquet"] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
        let backwards = "00000000000000000002-00000000000000000001.parquet";
        assert_eq!(Name::parse(backwards), None);
    }

    #[test]
    fn what_joins_stands_for_what_it_joins() {
        let c = Name::commit;
        let j = Name::joined;
        let check = |all: &[Name], read: &[Name]| {
            let (found, rest) = cover(all.to_vec(), |n| *n);
            assert_eq!(found, read, "{all:?}");
            assert_eq!(found.len() + rest.len(), all.len());
        };
        check(&[], &[]);
        let (found, rest) = cover(vec![c(7), j(5, 6), c(7), j(5, 6)], |n| *n);
        assert_eq!((found, rest), (vec![j(5, 6), c(7)], vec![]), "listed twice");
        check(&[c(7), c(5), c(9)], &[c(5), c(7), c(9)]);
        check(&[c(5), c(7), j(5, 9), c(10)], &[j(5, 9), c(10)]);
        // Joined again, and nothing was removed yet.
        check(&[j(5, 9), c(5), j(5, 20), c(8), j(10, 20), c(21)], &[j(5, 20), c(21)]);
    }
}
