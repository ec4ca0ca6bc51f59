#!/usr/bin/env bash
# Fuzzes parsers on stable Rust: `search SECONDS [PARSER...]` looks for an input that breaks a property, and prints one
# line for each parser; `keep [PARSER...]` writes crates/fuzz/corpus anew, with the fewest inputs that reach as much.
set -euo pipefail
cd "$(dirname "$0")/.."
crate=crates/fuzz
work=target/fuzz

install_compiler() {
    command -v g++ >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "keisan: installing Debian's g++ for libFuzzer"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends g++ >/dev/null
    fi
    command -v g++ >/dev/null && return
    echo "keisan: fuzzing needs g++, which builds libFuzzer; on Debian, \`apt install g++\` brings it" >&2
    exit 1
}

# Coverage by flags of stable rustc: what nightly's -Zsanitizer adds is not needed. Calls of memcmp stay calls, so that
# libFuzzer sees which words are compared. --target keeps the flags from build scripts, which are not linked with it.
build_targets() {
    local host
    host="$(rustc -vV | sed -n 's/^host: //p')"
    binaries="$work/$host/fuzz"
    local flags=(-Cpasses=sancov-module)
    local option
    for option in sanitizer-coverage-level=4 sanitizer-coverage-inline-8bit-counters sanitizer-coverage-pc-table \
        sanitizer-coverage-trace-compares max-loads-per-memcmp=0; do
        flags+=("-Cllvm-args=-$option")
    done
    echo "keisan: building the fuzz targets (the first time takes some minutes)"
    env -u CARGO_ENCODED_RUSTFLAGS CXX=g++ RUSTFLAGS="${flags[*]}" cargo build --quiet --locked --profile fuzz \
        --package keisan-fuzz --features libfuzzer --bins --target "$host" --target-dir "$work"
}

list_kept() {
    local path
    for path in "$crate/seeds/$1.txt" "$crate/corpus/$1.txt"; do
        if [ -f "$path" ]; then echo "$path"; fi
    done
}

# What earlier runs on this machine have reached stays beside what is kept.
unpack_inputs() {
    local kept
    mapfile -t kept < <(list_kept "$1")
    python3 make/fuzz_inputs.py unpack "$work/inputs/$1" "${kept[@]}"
    if [ -f "tests/golden/$1.json" ]; then cp "tests/golden/$1.json" "$work/inputs/$1/golden"; fi
}

read_stat() {
    awk -v name="stat::$2:" '$1 == name { found = $2 } END { print found + 0 }' "$work/logs/$1.txt"
}

read_progress() {
    awk -v name="$2:" '/ cov: / { for (i = 1; i < NF; i++) if ($i == name) found = $(i + 1) } END { print found }' \
        "$work/logs/$1.txt"
}

report_finding() {
    local input
    input="$(sed -n 's/.*Test unit written to //p' "$work/logs/$1.txt" | tail -n 1)"
    {
        echo "keisan: a finding in $1; the whole report is $work/logs/$1.txt"
        grep -a -A 3 -m 1 -E "panicked at|ERROR: libFuzzer" "$work/logs/$1.txt" | cut -c 1-1000 || tail -n 5 "$work/logs/$1.txt"
        if [ -n "$input" ]; then
            echo "keisan: the input is $input; again: $binaries/fuzz-$1 $input"
            echo "keisan: as a line of $crate/seeds/$1.txt, beside its repair:"
            python3 make/fuzz_inputs.py show "$input"
        fi
    } >&2
}

search() {
    local parser="$1" seconds="$2" status=0
    unpack_inputs "$parser"
    "$binaries/fuzz-$parser" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -dict="$crate/dictionaries/$parser.txt" -artifact_prefix="$work/findings/$parser-" "$work/inputs/$parser" \
        >"$work/logs/$parser.txt" 2>&1 || status=$?
    printf '%-10s %5d s  %12d executions  %6s edges  %6s features  %5s inputs  %d findings\n' "$parser" "$seconds" \
        "$(read_stat "$parser" number_of_executed_units)" "$(read_progress "$parser" cov)" \
        "$(read_progress "$parser" ft)" "$(read_progress "$parser" corp | cut -d / -f 1)" "$((status != 0))"
    if [ "$status" != 0 ]; then
        failed=1
        report_finding "$parser"
    fi
}

# One input for each edge will do: how often one is passed would keep thousands, and what they reach is found again soon.
keep() {
    local parser="$1" merged="$work/merged/$1"
    unpack_inputs "$parser"
    rm -rf "$merged"
    python3 make/fuzz_inputs.py unpack "$merged" "$crate/seeds/$parser.txt"
    "$binaries/fuzz-$parser" -set_cover_merge=1 "$merged" "$work/inputs/$parser" -use_counters=0 >"$work/logs/$parser.txt" 2>&1
    python3 make/fuzz_inputs.py pack "$merged" "$crate/corpus/$parser.txt" "$crate/seeds/$parser.txt"
    echo "keisan: $crate/corpus/$parser.txt has $(wc -l <"$crate/corpus/$parser.txt") inputs"
}

action="$1"
shift
if [ "$action" = search ]; then
    seconds="$1"
    shift
fi
parsers=("$@")
[ "${#parsers[@]}" -gt 0 ] || mapfile -t parsers < <(cd "$crate/targets" && ls -- *.rs | sed 's/\.rs$//')

install_compiler
build_targets
mkdir -p "$work/findings" "$work/logs"
failed=0
for parser in "${parsers[@]}"; do
    if [ "$action" = search ]; then
        search "$parser" "$seconds"
    else
        keep "$parser"
    fi
done
exit "$failed"
