//! libFuzzer with one of the targets, which the environment names: `fuzz/run` starts it.
#![no_main]

use std::sync::LazyLock;

use minibit_fuzz::{Target, target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("MINIBIT_FUZZ_TARGET").expect("fuzz/run says which target");
    target(&name).unwrap_or_else(|| panic!("there is no target '{name}'; see TARGETS in fuzz/src/lib.rs"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
