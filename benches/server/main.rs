//! The reference server beside Samba's smbd: the same clients do the same to both, in turns.
//!
//! ```console
//! $ cargo bench --bench server                        (everything, as root)
//! $ cargo bench --bench server -- lifecycles idle     (some of it)
//! ```
//!
//! Both servers keep all that they have on one XFS in a file, in memory or in FSRVP_BENCH_DIR;
//! FSRVP_BENCH_MIB is the size of the large file. Five rounds, in which the two take turns to be
//! first; the median counts. It ends with an error where a target is missed.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod files;
mod lifecycles;
mod load;
mod machine;
mod peers;
#[path = "../../tests/peers/samba.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod samba;
#[path = "../../tests/peers/serve.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod serve;
mod table;
#[path = "../../tests/peers/tool.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod tool;

use std::error::Error;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How often each measurement is made.
const ROUNDS: usize = 5;

fn main() -> Outcome<()> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let disk = machine::Disk::new()?;
    let pair = peers::Pair::start(&disk.path())?;
    let mut table = table::Table::default();
    if is_wanted("lifecycles") {
        lifecycles::measure(&pair, &mut table)?;
    }
    if is_wanted("transfers") {
        files::measure_large(&pair, &mut table)?;
    }
    if is_wanted("small") {
        files::measure_small(&pair, &mut table)?;
    }
    if is_wanted("idle") {
        lifecycles::measure_idle(&pair, &mut table)?;
    }
    table.judge()
}
