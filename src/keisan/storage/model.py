"""Models: public on the platform, found by the name that calls use."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from sqlalchemy import BigInteger, Table, Text, UniqueConstraint

from keisan.domain.access import Scope
from keisan.domain.ids import ModelId
from keisan.domain.model import Model, ModelFacts, Surface
from keisan.storage.repository import TableRepository, Visibility, limit_to_all
from keisan.storage.schema import AnyRow, Structure, build_column, build_noun_columns, metadata


def decode_surfaces(stored: Sequence[str]) -> tuple[Surface, ...]:
    """Return stored words as surfaces."""
    return tuple(Surface(word) for word in stored)


model = Table(
    "model",
    metadata,
    *build_noun_columns(),
    build_column("name", Text()),
    build_column("owner", Text()),
    build_column("architecture", Text()),
    build_column("parameter_count", BigInteger()),
    build_column("precision", Text()),
    build_column("licence", Text()),
    build_column("surfaces", Structure(list, decode_surfaces)),
    build_column("capabilities", Structure(list, tuple)),
    build_column("engines", Structure(list, tuple)),
    build_column("context_tokens", BigInteger()),
    build_column("output_tokens_max", BigInteger()),
    build_column("template_tokens_max", BigInteger()),
    build_column("weights", Text()),
    build_column("weights_sha256", Text()),
    build_column("weights_bytes", BigInteger()),
    build_column("memory_bytes", BigInteger()),
    UniqueConstraint("platform_id", "name"),
)

FACT_NAMES = tuple(field.name for field in fields(ModelFacts))


class ModelRepository(TableRepository[Model, ModelId]):
    """Models by id and by name."""

    table = model
    noun_type = Model
    unique = "name"
    visibility = Visibility(organization=limit_to_all, provider=limit_to_all)

    def _to_row(self, noun: Model) -> dict[str, object]:
        facts = {name: getattr(noun.facts, name) for name in FACT_NAMES}
        row = {"id": noun.id, "platform_id": noun.platform_id, "version": noun.version, "created_at": noun.created_at}
        return row | facts

    def _to_noun(self, row: AnyRow) -> Model:
        facts = ModelFacts(**{name: row[name] for name in FACT_NAMES})
        return Model(row["id"], row["platform_id"], facts, row["version"], row["created_at"])

    async def find_by_name(self, scope: Scope, name: str) -> Model | None:
        """Return the model with this name."""
        return await self._find(scope, model.c.name == name)

    async def list_by_names(self, scope: Scope, names: Iterable[str]) -> Sequence[Model]:
        """Return the models with these names, in order of id."""
        return await self._list_where(scope, self._connection.match_any(model.c.name, sorted(set(names))))

    async def list_by_ids(self, scope: Scope, ids: Iterable[ModelId] | None) -> Sequence[Model]:
        """Return the models with these ids, or all for None."""
        return await (self._list_where(scope) if ids is None else self._list_ids(scope, ids))
