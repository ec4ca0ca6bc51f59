#!/usr/bin/env bash
# Makes sure that tests find a nats-server to start (tests/nats.py starts it, on loopback, with a data folder of its own).
set -euo pipefail

find_server() {
    command -v nats-server || { [ -x /usr/sbin/nats-server ] && echo /usr/sbin/nats-server; }
}

if find_server >/dev/null; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "keisan: installing Debian's nats-server for the tests"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nats-server >/dev/null
fi
if find_server >/dev/null; then
    exit 0
fi
if [ "${CI:-}" = true ]; then
    echo "keisan: no nats-server, and CI must not skip its tests" >&2
    exit 1
fi
echo "keisan: no nats-server here; the tests that need one are skipped, by name, below"
echo "keisan: on Debian, \`apt install nats-server\` brings it"
