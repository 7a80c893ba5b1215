//! Clocks, medians, memory and disk.

use std::path::Path;
use std::time::Instant;

/// Milliseconds of each of several things that are run in turn, so that a loaded machine is unfair to none: medians.
pub struct Medians {
    samples: Vec<Vec<f64>>,
}

impl Medians {
    pub fn new(things: usize) -> Medians {
        Medians { samples: vec![Vec::new(); things] }
    }
    pub fn add(&mut self, thing: usize, since: Instant) {
        self.samples[thing].push(since.elapsed().as_secs_f64() * 1e3);
    }
    pub fn of(&self, thing: usize) -> f64 {
        let mut sorted = self.samples[thing].clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

pub fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|v| v.ln()).sum::<f64>() / values.len() as f64).exp()
}

pub fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The most memory that this process ever had, in MiB; None where the system does not say.
pub fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
}

/// Bytes and files under a folder.
pub fn disk(folder: &Path) -> (u64, u64) {
    disk_of(folder, "")
}

/// The same of the folders of this name within; of all where it is empty.
pub fn disk_of(folder: &Path, name: &str) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 0);
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) if name.is_empty() || folder.ends_with(name) => {
                    bytes += found.len();
                    files += 1;
                }
                Ok(_) => {}
                Err(_) => {}
            }
        }
    }
    (bytes, files)
}
