#!/usr/bin/env bash
# Checks the tools that a build needs, and their versions; says all that is missing at once.
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-python3}"
missing=()

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    missing+=("Python >= 3.11, got: $("$python" --version 2>&1 || true)")
elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    missing+=("Python's venv and pip, which $("$python" --version) lacks")
fi

command -v gcc >/dev/null || missing+=("gcc")

rust_wanted="$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' Cargo.toml | head -n 1)"
for tool in cargo rustc; do
    if ! command -v "$tool" >/dev/null; then
        missing+=("$tool >= $rust_wanted")
        continue
    fi
    found="$("$tool" --version | awk '{ print $2 }')"
    oldest="$(printf '%s\n%s\n' "$rust_wanted" "${found%%-*}" | sort -V | head -n 1)"
    [ "$oldest" = "$rust_wanted" ] || missing+=("$tool >= $rust_wanted, got $found")
done

if [ "${#missing[@]}" -gt 0 ]; then
    echo "keisan: cannot build here. Missing:" >&2
    printf '  - %s\n' "${missing[@]}" >&2
    echo "On Debian this installs them:" >&2
    echo "  apt install python3-venv gcc make cargo-web rustc-web" >&2
    exit 1
fi
