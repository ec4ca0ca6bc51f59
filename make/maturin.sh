#!/usr/bin/env bash
# Runs maturin on the release build of the relay, made for how it runs if `make profile` has looked (decision 0036).
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$1"
profile="$PWD/target/profile/relay.profdata"

if [ -f "$profile" ]; then
    # What was changed since is built as if nothing were known of it, and need not be said for each function.
    flags=("-Cprofile-use=$profile" "-Cllvm-args=-no-pgo-warn-mismatch")
    export CARGO_ENCODED_RUSTFLAGS="$(IFS=$'\x1f'; echo "${flags[*]}")"
fi
exec "$bin/maturin" "${@:2}" --release --locked
