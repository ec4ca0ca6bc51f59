#!/usr/bin/env bash
# Clippy over every crate. Debian packages no clippy for cargo-web, so outside CI its absence is said, not failed.
set -euo pipefail

if cargo clippy --version >/dev/null 2>&1; then
    exec cargo clippy --workspace --all-targets --locked -- -D warnings
fi
if [ "${CI:-}" = true ]; then
    echo "keisan: clippy is missing, and CI must not skip it" >&2
    exit 1
fi
echo "keisan: clippy is not installed; skipped"
