"""Random states of a small platform as the snapshot compiler reads them, and what a change from one to another touches."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from hypothesis import strategies as st

from keisan.control.snapshot_tables import SnapshotRows, compile_tables
from keisan.domain.access import Role
from keisan.domain.call_limits import CallLimits
from keisan.domain.door import Door
from keisan.domain.ids import ModelId, SiteId
from keisan.domain.key import Key, Secret
from keisan.domain.model import Model
from keisan.domain.organization import Billing, Organization
from keisan.domain.price import Price
from keisan.domain.project import Project
from keisan.domain.replica import Replica, ReplicaState
from keisan.domain.site import Site
from keisan.domain.snapshot import SnapshotChange, SnapshotTable
from keisan.domain.verdict import Verdict
from keisan.kit.clock import to_milliseconds
from keisan.wire.snapshot import SNAPSHOT_SCHEMA_VERSION, Snapshot, digest_tables
from tests.domain.samples import (
    DOOR_PLACE,
    ENGINE,
    FACTS,
    NOW,
    PLATFORM_ID,
    build_chip,
    build_door,
    build_key,
    build_model,
    build_organization,
    build_price,
    build_project,
    build_replica,
    build_site,
    name_id,
)

INCARNATION = name_id(99)
NUMBERS = st.integers(min_value=1, max_value=4)


CHIPS = (build_chip(vendor=("AMD",)), build_chip("ascend-910c", advisory=()))


@dataclass(frozen=True)
class State:
    """Rows by number; a price's number is its model's, and its version makes its id."""

    organizations: Mapping[int, Organization]
    projects: Mapping[int, Project]
    keys: Mapping[int, Key]
    models: Mapping[int, Model]
    prices: Mapping[int, Price]
    sites: Mapping[int, Site]
    replicas: Mapping[int, Replica]
    doors: Mapping[int, Door]

    def to_rows(self) -> SnapshotRows:
        return SnapshotRows(
            organizations=self.organizations.values(),
            projects=self.projects.values(),
            keys=self.keys.values(),
            models=self.models.values(),
            prices={price.model_id: price for price in self.prices.values()},
            sites=self.sites.values(),
            replicas=self.replicas.values(),
            chips=CHIPS,
            doors=[(door, Secret(f"dk-{door.shown_salt}")) for door in self.doors.values()],
        )


def _build_site(number: int, engine_names: Iterable[str], idle_s: int) -> Site:
    profile = replace(ENGINE, idle_connection_s=idle_s)
    return build_site(id=SiteId(name_id(6, number)), engines=dict.fromkeys(sorted(engine_names), profile))


def _name_price(number: int, version: int) -> Price:
    return build_price(id=name_id(10, 100 * number + version), model_id=ModelId(name_id(9, number)), version=version)


BOUNDS = st.sampled_from([CallLimits(), CallLimits(requests_per_minute=600), CallLimits(1, 2, 3, 4)])
POLICIES = st.sampled_from(["", "region in CN", "advisory none"])
ORGANIZATIONS = st.dictionaries(
    NUMBERS, st.tuples(st.sampled_from(Billing), st.sampled_from([None, 60]), BOUNDS, POLICIES)
).map(
    lambda drawn: {
        n: build_organization(id=name_id(1, n), billing=billing, snapshot_age_s_max=age_s, limits=limits, policy=policy)
        for n, (billing, age_s, limits, policy) in drawn.items()
    }
)
PROJECTS = st.dictionaries(NUMBERS, st.tuples(BOUNDS, POLICIES)).map(
    lambda drawn: {
        n: build_project(id=name_id(2, n), limits=limits, policy=policy) for n, (limits, policy) in drawn.items()
    }
)
KEYS = st.dictionaries(
    NUMBERS, st.tuples(st.sampled_from([Role.DEVELOPER, Role.AUDITOR]), st.sampled_from([None, (), ("a", "b")]))
).map(lambda drawn: {n: build_key(id=name_id(3, n), role=role, models=names) for n, (role, names) in drawn.items()})
MODELS = st.dictionaries(NUMBERS, st.integers(min_value=1, max_value=2)).map(
    lambda drawn: {
        n: build_model(id=name_id(9, n), facts=replace(FACTS, name=f"model-{n}", context_tokens=1024 * size))
        for n, size in drawn.items()
    }
)
PRICES = st.dictionaries(NUMBERS, st.integers(min_value=1, max_value=3)).map(
    lambda drawn: {n: _name_price(n, version) for n, version in drawn.items()}
)
ENGINE_NAMES = st.frozensets(st.sampled_from(["llama_cpp", "vllm"]), min_size=1)
SITES = st.tuples(ENGINE_NAMES, ENGINE_NAMES, st.integers(min_value=1, max_value=2)).map(
    lambda drawn: {1: _build_site(1, drawn[0], drawn[2]), 2: _build_site(2, drawn[1], 5)}
)
REPLICAS = st.dictionaries(
    NUMBERS, st.tuples(st.sampled_from([ReplicaState.READY, *ReplicaState]), st.sampled_from(Verdict), st.booleans())
).map(
    lambda drawn: {
        n: build_replica(
            id=name_id(12, n),
            site_id=name_id(6, 1 + n % 2),
            model_id=name_id(9, n),
            state=state,
            verdict=verdict,
            **({} if has_endpoint else {"endpoint": None}),
        )
        for n, (state, verdict, has_endpoint) in drawn.items()
    }
)
DOORS = st.dictionaries(
    st.integers(min_value=1, max_value=2), st.tuples(st.sampled_from(["aa", "bb"]), st.sampled_from(["a", "b"]))
).map(
    lambda drawn: {
        n: build_door(id=SiteId(name_id(6, n)), shown_salt=salt, place=replace(DOOR_PLACE, host=host))
        for n, (salt, host) in drawn.items()
    }
)
STATES = st.builds(State, ORGANIZATIONS, PROJECTS, KEYS, MODELS, PRICES, SITES, REPLICAS, DOORS)


Noted = Organization | Project | Key | Model | Price | Replica | Door


def compile_state(state: State, version: int) -> Snapshot:
    tables = compile_tables(state.to_rows())
    return Snapshot(
        schema_version=SNAPSHOT_SCHEMA_VERSION,
        platform_id=PLATFORM_ID,
        incarnation=INCARNATION,
        version=version,
        compiled_at_ms=to_milliseconds(NOW) + version,
        digest=digest_tables(tables),
        tables=tables,
    )


def list_touched(before: State, after: State) -> list[tuple[SnapshotTable, UUID]]:
    """Return the rows that the commands behind this change would note; a price touches its model and its forerunner."""
    touched: list[tuple[SnapshotTable, UUID]] = []
    pairs: list[tuple[SnapshotTable, Mapping[int, Noted], Mapping[int, Noted]]]
    pairs = [
        (SnapshotTable.ORGANIZATIONS, before.organizations, after.organizations),
        (SnapshotTable.PROJECTS, before.projects, after.projects),
        (SnapshotTable.KEYS, before.keys, after.keys),
        (SnapshotTable.MODELS, before.models, after.models),
        (SnapshotTable.PRICES, before.prices, after.prices),
        (SnapshotTable.REPLICAS, before.replicas, after.replicas),
        (SnapshotTable.DOORS, before.doors, after.doors),
    ]
    for table, old, new in pairs:
        for number in sorted(old.keys() | new.keys()):
            rows = {row.id for row in (old.get(number), new.get(number)) if row is not None}
            if old.get(number) == new.get(number):
                continue
            touched += [(table, row_id) for row_id in sorted(rows)]
            if table is SnapshotTable.PRICES:
                touched.append((SnapshotTable.MODELS, name_id(9, number)))
            if table is SnapshotTable.DOORS:
                # The way to the site's replicas stands in their rows.
                replicas = {**before.replicas, **after.replicas}.values()
                at_site = (replica.id for replica in replicas if replica.site_id == name_id(6, number))
                touched += [(SnapshotTable.REPLICAS, replica_id) for replica_id in at_site]
    return touched


def number_changes(touched: Iterable[tuple[SnapshotTable, UUID]], version: int) -> list[SnapshotChange]:
    return [SnapshotChange(version, table, row_id) for table, row_id in touched]
