"""The llama.cpp server process: `python -m keisan.engines.llama_cpp_server --config FILE`; the one importer of xllamacpp.

It leads a session of its own, outlives the agent that started it, and ends on SIGTERM. A fault ends it with status 1 and
the reason on standard error, which is the replica's log.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

import xllamacpp

from keisan.domain.errors import KeisanError, LaunchFailed
from keisan.engines.llama_cpp_config import LlamaCppConfig, parse_config

# Errors only: a warning or more per call would let the log of a busy engine grow without bound.
VERBOSITY = 1


def serve_model(config: LlamaCppConfig) -> None:
    """Load the model and serve until SIGTERM or SIGINT; does not return.

    Raises LaunchFailed when something is at the socket's path or llama.cpp refuses the model; what it says stands in
    the log.
    """
    socket_path = Path(config.socket_path)
    # The socket is bound inside the wheel, so its mode (0600) can only come from the mask.
    os.umask(0o177)
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    server = _start_server(config)
    # Until here SIGTERM kills at once, also in the middle of a long load. Any thread may take the signal, so the main
    # one waits on a pipe that the C handler writes to.
    signal.set_wakeup_fd(wake_writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    sys.stderr.write(f"serving {config.model_name} on {server.listening_address}\n")
    sys.stderr.flush()
    os.read(wake_reader, 1)
    socket_path.unlink(missing_ok=True)
    # Not a plain return: taking the server apart waits for the batch that is being computed, seconds on a slow host.
    os._exit(0)


def _start_server(config: LlamaCppConfig) -> xllamacpp.Server:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = config.weights_path
    parameters.hostnames = [config.socket_path]
    # Without an alias the answers' `model` would tell the file's path. A str is taken apart into its letters.
    parameters.model_alias = {config.model_name}
    parameters.n_parallel = config.slots
    # The context is one pool, divided by the slots.
    parameters.n_ctx = config.slots * config.context_tokens
    # Would shrink the context in silence where memory is short; a refusal to start is better.
    parameters.fit_params = False
    parameters.n_batch = config.batch_tokens
    parameters.n_ubatch = config.batch_tokens
    parameters.cpuparams.n_threads = config.threads
    parameters.cpuparams_batch.n_threads = config.threads
    parameters.n_threads_http = config.http_threads
    parameters.cache_ram_mib = config.prompt_cache_mib
    parameters.ui = False
    parameters.endpoint_slots = False
    # Its own count of tokens, told on its socket alone, for whoever compares it with what was billed.
    parameters.endpoint_metrics = True
    parameters.verbosity = VERBOSITY
    try:
        return xllamacpp.Server(parameters)
    except RuntimeError as failure:
        raise LaunchFailed(f"llama.cpp did not start: {failure}") from failure


def main() -> int:
    """Read the configuration and serve; return the exit status of a failed start."""
    parser = argparse.ArgumentParser(prog="keisan.engines.llama_cpp_server")
    parser.add_argument("--config", type=Path, required=True)
    config_path: Path = parser.parse_args().config
    try:
        serve_model(parse_config(config_path.read_text()))
    except (KeisanError, OSError) as failure:
        sys.stderr.write(f"the engine cannot start: {failure}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
