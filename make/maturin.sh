#!/usr/bin/env bash
# Runs maturin on the release build of the relay, made for how it runs if `make profile` has looked (decision 0036). With
# `counting FOLDER` before maturin's own words it is built to write into this folder how it runs.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$1"
shift
profile="$PWD/target/profile/relay.profdata"
flags=()

if [ "$1" = counting ]; then
    flags=("-Cprofile-generate=$2")
    shift 2
elif [ -f "$profile" ] && [ "$(rustc -vV)" != "$(cat target/profile/rustc.txt)" ]; then
    echo "keisan: target/profile is of another rustc, so the relay is built plainly; \`make -B profile\` looks again" >&2
elif [ -f "$profile" ]; then
    # What was changed since is built as if nothing were known of it, and need not be said for each function.
    flags=("-Cprofile-use=$profile" "-Cllvm-args=-no-pgo-warn-mismatch")
    export KEISAN_BUILT_BY_PROFILE=1
fi
if [ "${#flags[@]}" -gt 0 ]; then
    # Encoded, a path may have spaces; beside it cargo would not look at RUSTFLAGS.
    read -ra all <<<"${RUSTFLAGS:-}"
    all+=("${flags[@]}")
    CARGO_ENCODED_RUSTFLAGS="$(IFS=$'\x1f'; echo "${all[*]}")"
    export CARGO_ENCODED_RUSTFLAGS
fi
exec "$bin/maturin" "$@" --release --locked
