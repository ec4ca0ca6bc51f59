#!/usr/bin/env bash
# Builds the wheel that runs without Rust, and states for which machines it is good.
set -euo pipefail
bin="$1"

make/maturin.sh "$bin" build --out dist
wheel="$(ls -t dist/keisan-*.whl | head -n 1)"
name="$(basename "$wheel" .whl)"
echo "keisan: $wheel"
echo "keisan: interpreter tag $(cut -d- -f3 <<<"$name")-$(cut -d- -f4 <<<"$name"), platform tag $(cut -d- -f5 <<<"$name")"
