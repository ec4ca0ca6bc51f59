"""Where the command line finds its platform: options, then KEISAN_* variables, then DIR/operator.json."""

import os
from pathlib import Path

from keisan.cli.session import ConnectionOptions, Target
from keisan.daemon.command import find_data_directory
from keisan.daemon.folder import DataFolder
from keisan.daemon.operator_file import OperatorFile, read_operator
from keisan.domain.errors import Unauthenticated, Unavailable
from keisan.domain.key import Secret


def resolve_target(options: ConnectionOptions) -> Target:
    """Return whom to speak to and as whom.

    The kept operator's key goes to the kept addresses only, never to another that an option or a variable names.
    Raises Unavailable if no address is known, Unauthenticated if there is no key for it.
    """
    kept = _read_kept(options.data)
    platform_url = (
        options.platform_url or os.environ.get("KEISAN_PLATFORM_URL") or (kept.platform_url if kept else None)
    )
    gateway_url = options.gateway_url or os.environ.get("KEISAN_GATEWAY_URL") or (kept.gateway_url if kept else None)
    if not platform_url:
        raise Unavailable("no platform is known here: start one with `keisan up`, or name one with --url")
    api_key = options.api_key or os.environ.get("KEISAN_API_KEY")
    if api_key is None:
        is_kept = kept is not None and (platform_url, gateway_url) == (kept.platform_url, kept.gateway_url)
        if kept is None or not is_kept:
            raise Unauthenticated("no key is known for this platform: give --key or set KEISAN_API_KEY")
        api_key = kept.api_key
    ca_path = options.ca_path or os.environ.get("KEISAN_CA_PATH") or (kept.ca_path if kept else None)
    return Target(platform_url, gateway_url, Secret(api_key), str(ca_path) if ca_path else None)


def _read_kept(data: Path | None) -> OperatorFile | None:
    root = data or Path(os.environ.get("KEISAN_DATA_DIRECTORY") or find_data_directory())
    return read_operator(DataFolder(root.expanduser().absolute()).operator_path)
