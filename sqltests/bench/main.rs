//! Benchmarks: figures as JSON on stdout.

fn main() {}
