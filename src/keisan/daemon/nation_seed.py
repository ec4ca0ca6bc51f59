"""Organizations of a demo's platform and a key of each, made once; the keys lie in the platform's folder, for whoever tries them."""

import json
from collections.abc import Sequence
from pathlib import Path

from keisan.daemon.folder import DataFolder
from keisan.daemon.nation import NationPlatform
from keisan.domain.errors import Failed
from keisan.kit.private_file import write_private_file
from keisan.sdk import AsyncKeisan
from keisan.wire.key import KeyCreate, KeyCreated
from keisan.wire.organization import OrganizationCreate
from keisan.wire.project import ProjectCreate

PROJECT = "demo"


def locate_keys(folder: DataFolder) -> Path:
    """Return where the keys of a platform's organizations are, 0600."""
    return folder.root / "demo_keys.json"


async def seed_platform(platform: NationPlatform) -> None:
    """Make what is missing of a platform's organizations; raises KeisanError as its API does."""
    async with platform.open_as_operator() as keisan:
        platform.keys = await seed_organizations(keisan, platform.plan.organizations, locate_keys(platform.folder))


async def seed_organizations(keisan: AsyncKeisan, names: Sequence[str], path: Path) -> dict[str, str]:
    """Return a key of each organization, kept in a file, once gateways know those that were made now."""
    keys = _read_keys(path)
    for name in names:
        if name not in keys:
            made = await _make_key(keisan, name)
            keys[name] = made.secret
            # After each, or a crash would leave another beside one that nobody has.
            write_private_file(path, json.dumps(keys, indent=2).encode())
            await keisan.wait_for_gateways(made.snapshot_version)
    return keys


async def _make_key(keisan: AsyncKeisan, name: str) -> KeyCreated:
    found = [each async for each in keisan.organizations.list() if each.name == name]
    organization = found[0] if found else await keisan.organizations.create(OrganizationCreate(name=name))
    projects = [each async for each in keisan.projects.list() if each.organization_id == organization.id]
    body = ProjectCreate(name=PROJECT, organization_id=organization.id)
    project = projects[0] if projects else await keisan.projects.create(body)
    return await keisan.keys.create(KeyCreate(name=PROJECT, project_id=project.id))


def _read_keys(path: Path) -> dict[str, str]:
    try:
        kept = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as fault:
        raise Failed(f"{path} is damaged; without it new keys are made", str(fault)) from fault
    return {str(name): str(key) for name, key in kept.items()}
