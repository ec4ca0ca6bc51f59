"""What the first start in a data directory makes: secrets that stay here, and their digests for the platform.

`first_start.json` is written last and holds digests only; a start that finds it makes no secret again. The developer's
key is nowhere on disk: until it was shown once, each start makes another.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import UUID

from keisan.catalog.base import load_models
from keisan.catalog.model import CatalogModel
from keisan.control.bootstrap import BootstrapPlan, PlannedJoinToken, PlannedKey, PlannedModel, PlannedSite
from keisan.daemon.folder import DataFolder
from keisan.daemon.operator_file import OperatorFile, read_operator, write_operator
from keisan.daemon.settings import FirstStartSettings, PlatformSettings
from keisan.domain.access import MachineKind, Role
from keisan.domain.errors import Failed, SettingsInvalid
from keisan.domain.key import JOIN_TOKEN_PREFIX, KEY_PREFIX, Secret, create_secret, digest_secret
from keisan.domain.limits import JOIN_TOKEN_LIFE_S
from keisan.domain.price import TokenClass
from keisan.kit.clock import Clock
from keisan.kit.private_file import write_private_file
from keisan.wire.deployment import DeploymentCreate
from keisan.wire.model import ModelCreate
from keisan.wire.price import PriceCreate

# Bootstrap fills in the model's id, which nobody knows before.
_UNNAMED = UUID(int=0)


@dataclass(frozen=True, slots=True)
class FirstStart:
    """Digests of what was made; `developer` is None for a platform that was started without `keisan up`."""

    operator: str
    developer: str | None = None
    gateway: str | None = None
    site: str | None = None
    is_key_shown: bool = False


def locate_first_start(folder: DataFolder) -> Path:
    """Return where the digests are kept."""
    return folder.platform / "first_start.json"


def ensure_operator(folder: DataFolder) -> FirstStart:
    """Return what was made here, with an operator's key made if there is none; raises Failed on a damaged file."""
    kept = _read(locate_first_start(folder))
    if kept is not None:
        return kept
    operator = read_operator(folder.operator_path)
    secret = Secret(operator.api_key) if operator else create_secret(KEY_PREFIX)
    if operator is None:
        write_operator(folder.operator_path, OperatorFile(api_key=secret.reveal()))
    made = FirstStart(operator=digest_secret(secret))
    _write(folder, made)
    return made


def ensure_first_start(folder: DataFolder, clock: Clock) -> tuple[FirstStart, Secret | None]:
    """Return what was made here, and the developer's key if it has not been shown yet; raises Failed on a damaged file."""
    made = ensure_operator(folder)
    if made.gateway is None or _is_token_stale(folder, "gateway", clock):
        made = replace(made, gateway=_create_token(folder, "gateway"))
    if made.site is None or _is_token_stale(folder, "site", clock):
        made = replace(made, site=_create_token(folder, "site"))
    developer = None
    if not made.is_key_shown:
        developer = create_secret(KEY_PREFIX)
        made = replace(made, developer=digest_secret(developer))
    _write(folder, made)
    return made, developer


def mark_key_shown(folder: DataFolder, made: FirstStart) -> None:
    """Note that the developer's key has been shown; no later start makes one."""
    _write(folder, replace(made, is_key_shown=True))


def build_plan(
    made: FirstStart, public_key: bytes, platform: PlatformSettings, wanted: FirstStartSettings
) -> BootstrapPlan:
    """Return what the platform must hold; raises SettingsInvalid if the catalogue has no such model."""
    is_whole = made.site is not None
    keys = [PlannedKey("operator", Role.PLATFORM_ADMIN, made.operator)]
    if made.developer is not None:
        keys.append(PlannedKey("first", Role.DEVELOPER, made.developer))
    tokens = [(MachineKind.GATEWAY, made.gateway), (MachineKind.SITE, made.site)]
    return BootstrapPlan(
        platform_name=platform.name,
        platform_kind=platform.kind,
        platform_region=wanted.region,
        public_key=public_key,
        organization_name=wanted.organization,
        project_name=wanted.project,
        site=PlannedSite(wanted.provider, wanted.site, wanted.region) if is_whole else None,
        keys=tuple(keys),
        join_tokens=tuple(PlannedJoinToken(kind, digest) for kind, digest in tokens if digest is not None),
        models=tuple(_plan_model(model, wanted) for model in _choose_models(wanted.model)) if is_whole else (),
    )


def _choose_models(name: str) -> tuple[CatalogModel, ...]:
    known = load_models()
    chosen = tuple(model for model in known if model.facts.name == name)
    if not chosen:
        names = ", ".join(model.facts.name for model in known)
        raise SettingsInvalid(f"first_start.model: expected one of {names}, got '{name}'", "first_start.model")
    return chosen


def _plan_model(model: CatalogModel, wanted: FirstStartSettings) -> PlannedModel:
    facts = ModelCreate.model_validate(asdict(model.facts))
    nano_per_million = {TokenClass(name): nano for name, nano in model.nano_per_million.items()}
    deployment = DeploymentCreate(
        model_id=_UNNAMED, engine=facts.engines[0], replica_count=wanted.replica_count, slots=wanted.slots
    )
    return PlannedModel(
        facts, PriceCreate(model_id=_UNNAMED, currency=model.currency, nano_per_million=nano_per_million), deployment
    )


def _create_token(folder: DataFolder, name: str) -> str:
    token = create_secret(JOIN_TOKEN_PREFIX)
    write_private_file(folder.locate_join_token(name), token.reveal().encode())
    return digest_secret(token)


def _is_token_stale(folder: DataFolder, name: str, clock: Clock) -> bool:
    """Tell whether a machine that has not joined yet could no longer do so with its token."""
    try:
        identity = json.loads((folder.root / name / "identity.json").read_bytes())
        is_joined = identity.get("machine_id") is not None
    except (FileNotFoundError, ValueError):
        is_joined = False
    try:
        age_s = clock.now().timestamp() - folder.locate_join_token(name).stat().st_mtime
    except FileNotFoundError:
        return not is_joined
    return not is_joined and age_s > JOIN_TOKEN_LIFE_S / 2


def _read(path: Path) -> FirstStart | None:
    try:
        return FirstStart(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as fault:
        raise Failed(f"{path} is damaged; restore it from a copy", str(fault)) from fault


def _write(folder: DataFolder, made: FirstStart) -> None:
    write_private_file(locate_first_start(folder), json.dumps(asdict(made), indent=2).encode())
