//! OIDs of what is ours: made from names, so that they are the same at every start and on every node.

use std::collections::HashSet;

/// Below are the OIDs of the system's own objects (PostgreSQL gives users 16384 and up).
const FIRST: u32 = 1 << 16;
/// Clients keep OIDs in signed 32-bit integers.
const END: u32 = 1 << 31;

/// Gives OIDs to objects; ask in sorted order of names, for two that would meet get theirs in the order of asking.
#[derive(Debug, Default)]
pub struct Oids {
    taken: HashSet<u32>,
}

impl Oids {
    /// `class` is what the object is (`database`, `relation`), `name` its qualified name.
    pub fn give(&mut self, class: &str, name: &str) -> u32 {
        let mut oid = FIRST + hash(class, name) % (END - FIRST);
        while !self.taken.insert(oid) {
            oid = if oid + 1 == END { FIRST } else { oid + 1 };
        }
        oid
    }
}

/// FNV-1a: small, and never another at another time or place.
fn hash(class: &str, name: &str) -> u32 {
    let bytes = class.bytes().chain([0]).chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // The upper half is the better mixed one.
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_at_every_start() {
        let give = |name| Oids::default().give("relation", name);
        assert_eq!(give("public.file"), give("public.file"));
        assert_ne!(give("public.file"), give("public.files"));
        assert_ne!(give("public.file"), Oids::default().give("type", "public.file"));
        // A change of these numbers breaks what clients have kept.
        assert_eq!(give("public.file"), 2_132_719_345);
    }

    #[test]
    fn one_each() {
        let mut oids = Oids::default();
        let first = oids.give("relation", "public.file");
        let second = oids.give("relation", "public.file");
        assert_eq!(second, first + 1);
    }
}
