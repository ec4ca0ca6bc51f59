"""What is printed when the nation is up: where each platform answers, and commands to look with; or one JSON object."""

import json
import shlex
import sys

from keisan.daemon.nation import Nation, NationPlatform
from keisan.daemon.nation_plan import MODEL
from keisan.daemon.nation_seed import locate_keys
from keisan.daemon.platform_identity import ensure_identity
from keisan.domain.ids import hash_public_key

ID_CHARACTERS = 12


def print_nation(nation: Nation, *, is_json: bool) -> None:
    """Print it to standard output, out of this process when it returns."""
    sys.stdout.write((format_json(nation) if is_json else format_text(nation)) + "\n")
    sys.stdout.flush()


def format_json(nation: Nation) -> str:
    """Return the one object for scripts; keys are in files."""
    return json.dumps({"data_directory": str(nation.root), "platforms": list(map(describe, nation.platforms))})


def describe(platform: NationPlatform) -> dict[str, object]:
    """Return what a script needs to speak to a platform."""
    kept = platform.read_operator()
    return {
        "code": platform.plan.code,
        "name": platform.plan.name,
        "kind": platform.plan.kind,
        "id": hash_public_key(ensure_identity(platform.folder.platform / "identity.pem").public_key),
        "platform_url": kept.platform_url,
        "gateway_url": kept.gateway_url,
        "data_directory": str(platform.folder.root),
        "keys_path": str(locate_keys(platform.folder)),
        "model": MODEL if platform.plan.has_model else None,
        "device_count": platform.plan.device_count,
    }


def format_text(nation: Nation) -> str:
    """Return what a person reads; the commands work when pasted."""
    told = [describe(platform) for platform in nation.platforms]
    lines = ["", f"keisan: a nation of {len(told)} platforms is ready (Ctrl-C ends all)", ""]
    for each in told:
        model = f"  {each['model']}" if each["model"] else ""
        lines.append(
            f"  {each['code']:<6} {each['name']:<9} {str(each['id'])[:ID_CHARACTERS]}  gateway {each['gateway_url']}/v1"
            f"  platform {each['platform_url']}  {each['device_count']:>4} devices{model}"
        )
    asked = next((each for each in told if each["model"]), told[0])
    data = shlex.quote(str(asked["data_directory"]))
    lines += [
        "",
        f"  keys      {asked['keys_path']}, and so in each folder beside it",
        f"  capacity  keisan capacity --data {data}",
        f"  usage     keisan usage --data {data}",
        f"  a call    keisan chat --data {data}",
        "",
    ]
    return "\n".join(lines)
