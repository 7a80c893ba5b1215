#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(fault) = daodb_gateway::http::fuzz::transit(text) {
        panic!("{fault}");
    }
});
