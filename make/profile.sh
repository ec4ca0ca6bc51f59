#!/usr/bin/env bash
# Writes down how the relay runs, for the compiler to build it by (decision 0036): a relay with counters, beside the one in
# use, serves what gateways are asked for; target/profile/relay.profdata keeps what it counted.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$(cd "$1" && pwd)"
work="$PWD/target/profile"
# Seconds of load for each scenario.
LOAD_S=2
# It reads what the counters of rustc write.
DEBIAN_LLVM=llvm-19
# Whoever measures the tests that ask for this measures no copies.
unset "${!COVERAGE_@}" "${!COV_CORE_@}"

find_profdata() {
    local host candidate
    host="$(rustc -vV | sed -n 's/^host: //p')"
    for candidate in "$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata" "/usr/lib/$DEBIAN_LLVM/bin/llvm-profdata"; do
        if [ -x "$candidate" ]; then
            profdata="$candidate"
            return 0
        fi
    done
    return 1
}

ensure_profdata() {
    find_profdata && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "keisan: installing Debian's $DEBIAN_LLVM, which reads counters"
        apt-get update -qq || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$DEBIAN_LLVM" >/dev/null || true
    fi
    find_profdata && return
    echo "keisan: building by how the relay runs needs llvm-profdata, which reads a program's counters" >&2
    echo "\`rustup component add llvm-tools\` brings it, and on Debian \`apt install $DEBIAN_LLVM\`" >&2
    exit 1
}

# Neither function stops at its first fault by itself: whoever asks how a function ended turns that off within it.
build_counting() {
    make/maturin.sh "$bin" counting "$work/counts" build --target-dir "$work/build" --out "$work/wheel" &&
        "$bin/python" -m venv --clear --without-pip "$work/venv" &&
        "$bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$work/needed.pth" &&
        mv "$work/needed.pth" "$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" &&
        "$bin/uv" pip install --python "$work/venv" --no-deps --no-index "$work"/wheel/keisan-*.whl &&
        # Build scripts count as well.
        rm -rf "$work/counts"
}

# What comes often weighs most; the tests are for what is asked seldom, which would else be built as if it never were.
run_counting() {
    local scenario python="$work/venv/bin/python"
    export LLVM_PROFILE_FILE="$work/counts/%m.profraw"
    for scenario in json_32 json_1 json_1024 json_32_32k json_1_1m sse_paced_64 sse_flood_32; do
        "$python" bench/relay_cpu.py --only keisan --scenario "$scenario" --keep-running "$LOAD_S" || return
    done
    "$python" -m pytest -q -p no:randomly -p no:cacheprovider tests/gateway/test_native.py tests/e2e/test_door.py \
        -k "not real_engine and not allocator"
}

run_or_tell() {
    ("$@") >"$work/log.txt" 2>&1 && return
    tail -n 20 "$work/log.txt" >&2
    echo "keisan: $1 failed; all that was said is in target/profile/log.txt" >&2
    exit 1
}

rm -rf "$work/wheel" "$work/counts"
mkdir -p "$work"
ensure_profdata
echo "keisan: building a relay that counts where it goes (some minutes)"
run_or_tell build_counting
echo "keisan: running it"
run_or_tell run_counting
"$profdata" merge --sparse --output "$work/relay.profdata.new" "$work/counts"
rustc -vV >"$work/rustc.txt"
mv "$work/relay.profdata.new" "$work/relay.profdata"
echo "keisan: target/profile/relay.profdata says how the relay runs"
