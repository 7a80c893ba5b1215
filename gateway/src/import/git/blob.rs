//! Sizes and line counts of blobs, remembered for blobs that come again (moves, mode changes, reverts).

use super::reader::failed;
use daodb_catalog::Result;
use gix::{ObjectId, Repository};
use std::collections::HashMap;

/// Blobs above this many bytes are not read, so their lines are not counted.
pub const LARGEST_TEXT: u64 = 64 << 20;

/// git looks for a NUL in so many bytes to tell a binary file.
const BINARY_PROBE: usize = 8000;

/// Two generations of so many blobs each are remembered: about 10 MB.
const GENERATION: usize = 50_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measure {
    pub size: Option<i64>,
    pub lines: Option<i64>,
}

#[derive(Default)]
pub struct Measures {
    young: HashMap<ObjectId, Measure>,
    old: HashMap<ObjectId, Measure>,
    /// Blobs that the repository lacks.
    pub missing: u64,
}

impl Measures {
    pub fn of(&mut self, repo: &Repository, blob: ObjectId) -> Result<Measure> {
        if let Some(known) = self.young.get(&blob).or_else(|| self.old.get(&blob)) {
            return Ok(*known);
        }
        let measure = match measure(repo, blob)? {
            Some(measure) => measure,
            None => {
                self.missing += 1;
                Measure::default()
            }
        };
        if self.young.len() == GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(blob, measure);
        Ok(measure)
    }
}

fn measure(repo: &Repository, blob: ObjectId) -> Result<Option<Measure>> {
    let broken = |e| failed(repo, format!("blob {blob}"), e);
    let Some(header) = repo.try_find_header(blob).map_err(broken)? else { return Ok(None) };
    let size = i64::try_from(header.size()).ok();
    if header.size() > LARGEST_TEXT {
        return Ok(Some(Measure { size, lines: None }));
    }
    let object = repo.find_object(blob).map_err(broken)?;
    Ok(Some(Measure { size, lines: lines(&object.data) }))
}

/// Line ends, and one more for a last line without one; None for a binary file.
fn lines(data: &[u8]) -> Option<i64> {
    if data[..data.len().min(BINARY_PROBE)].contains(&0) {
        return None;
    }
    let ends = data.iter().filter(|b| **b == b'\n').count();
    let unterminated = data.last().is_some_and(|b| *b != b'\n');
    i64::try_from(ends + usize::from(unterminated)).ok()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn line_counts() {
        assert_eq!(lines(b""), Some(0));
        assert_eq!(lines(b"a"), Some(1));
        assert_eq!(lines(b"a\n"), Some(1));
        assert_eq!(lines(b"a\n\nb"), Some(3));
        assert_eq!(lines(b"a\0\n"), None);
    }
}
