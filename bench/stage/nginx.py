"""nginx as a plain proxy, the reference of every ratio: one worker, kept connections, nothing buffered, keys by a map."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from keisan.domain.key import Secret
from stage.cache import tell
from stage.engine import Engine
from stage.ports import find_free_ports
from stage.process import SUBJECT_CORE, Pinned, start_pinned, wait_until_listening
from stage.snapshot import CONNECTION_IDLE_S, CONNECTION_REQUESTS_MAX
from stage.subject import Subject, write_keys

INSTALL_S_MAX = 300
# nginx closes idle connections when a sixteenth is left, so it is told of more than the 20,000 descriptors allow.
WORKER_CONNECTIONS = 24_000
_LOCATION = """
        location / {
            if ($is_known = 0) { return 401; }
            proxy_pass http://%s;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_request_buffering on;
            client_body_buffer_size 2m;
            client_max_body_size 8m;
        }
"""
_SETTINGS = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_rlimit_nofile 20000;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests {requests};
    tcp_nodelay on;
    map_hash_bucket_size 256;
    map_hash_max_size 4096;
    map $http_authorization $is_known {{
        default 0;
{keys}
    }}
    upstream tcp_engines {{
{tcp}
        keepalive 256; keepalive_requests {requests}; keepalive_timeout {idle}s;
    }}
    upstream unix_engines {{
{unix}
        keepalive 256; keepalive_requests {requests}; keepalive_timeout {idle}s;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=16384;
{tcp_location}
    }}
    server {{
        listen 127.0.0.1:{unix_port} backlog=16384;
{unix_location}
    }}
}}
"""


def ensure_nginx() -> str:
    """Return nginx's path, installing Debian's if there is none; raises RuntimeError if that cannot be."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found:
        return found
    if shutil.which("apt-get"):
        tell("bench: installing Debian's nginx")
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "nginx-light"]):
            # One that fails shows below: nginx is still not there.
            subprocess.run(command, check=False, capture_output=True, timeout=INSTALL_S_MAX)
    found = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if not found:
        raise RuntimeError("nginx, the reference, is not installed: apt install nginx-light")
    return found


def start_nginx(folder: Path, engine: Engine, keys: Sequence[Secret]) -> tuple[Subject, Subject]:
    """Start one nginx; return it with the engine's TCP ports behind it, and with the engine's unix sockets."""
    folder.mkdir()
    ports = find_free_ports(2)
    settings = _SETTINGS.format(
        folder=folder,
        # Started by root, its worker would be another user, who may not enter the folder of the engine's sockets.
        user="user root root;" if os.geteuid() == 0 else "",
        keys="\n".join(f'        "Bearer {key.reveal()}" 1;' for key in keys),
        tcp="\n".join(f"        server 127.0.0.1:{port};" for port in engine.ports),
        unix="\n".join(f"        server unix:{path};" for path in engine.sockets),
        connections=WORKER_CONNECTIONS,
        requests=CONNECTION_REQUESTS_MAX,
        idle=CONNECTION_IDLE_S,
        port=ports[0],
        unix_port=ports[1],
        tcp_location=_LOCATION % "tcp_engines",
        unix_location=_LOCATION % "unix_engines",
    )
    (folder / "nginx.conf").write_text(settings)
    command: list[str | Path] = [ensure_nginx(), "-p", folder, "-c", folder / "nginx.conf"]
    pinned: Pinned = start_pinned("nginx", command, SUBJECT_CORE, folder / "nginx.log")
    wait_until_listening(pinned, ports[1])
    key_path = write_keys(folder / "keys", keys)
    return Subject("nginx", ports[0], key_path, pinned), Subject("nginx_unix", ports[1], key_path, pinned)
