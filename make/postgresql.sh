#!/usr/bin/env bash
# Makes sure that tests find a PostgreSQL server to start (tests/conftest.py starts it, as a non-root user).
set -euo pipefail

find_initdb() {
    command -v initdb || find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1 | grep .
}

if find_initdb >/dev/null; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "keisan: installing Debian's PostgreSQL for the tests"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
fi
if find_initdb >/dev/null; then
    exit 0
fi
if [ "${CI:-}" = true ]; then
    echo "keisan: no PostgreSQL server, and CI must not skip its tests" >&2
    exit 1
fi
echo "keisan: no PostgreSQL server here; the tests that need one are skipped, by name, below"
echo "keisan: on Debian, \`apt install postgresql\` brings it"
