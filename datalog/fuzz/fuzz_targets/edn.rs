#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(fault) = daodb_datalog::fuzz::edn(text) {
        panic!("{fault}");
    }
});
