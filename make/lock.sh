#!/usr/bin/env bash
# Writes requirements/*.txt anew: exact versions with hashes, no host named, good for every supported Python.
set -euo pipefail
cd "$(dirname "$0")/.."
uv="$1"

compile() {
    "$uv" pip compile "$1" --output-file "$2" --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --custom-compile-command "make lock" --quiet
    echo "keisan: $2"
}

compile requirements/build.in requirements/build.txt
compile pyproject.toml requirements/run.txt
compile requirements/development.in requirements/development.txt
compile bench/stage/peers.in bench/stage/peers.txt
