"""Commands on models: create."""

from dataclasses import fields

from keisan.control.context import Control, name_actor
from keisan.domain.access import Principal, Right
from keisan.domain.errors import InvalidInput
from keisan.domain.event import EventDraft
from keisan.domain.ids import ModelId
from keisan.domain.model import Model, ModelFacts
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.ids import create_id
from keisan.storage.base import Transaction
from keisan.wire.model import ModelCreate


async def create_model(control: Control, principal: Principal, body: ModelCreate) -> Model:
    """Create a catalogue entry; it can be called once it has a price and a ready replica.

    Raises PermissionDenied, InvalidInput when an answer may be longer than the context, AlreadyExists when the name is
    taken.
    """
    principal.require(Right.WRITE_MODELS)
    model = build_model(control, body)
    async with control.storage.write() as transaction:
        await insert_model(transaction, name_actor(principal), model)
    return model


def build_model(control: Control, body: ModelCreate) -> Model:
    """Return a new model that is not stored yet; raises InvalidInput when an answer may be longer than the context."""
    if body.output_tokens_max > body.context_tokens:
        raise InvalidInput(
            f"an answer of {body.output_tokens_max} tokens is longer than the context of {body.context_tokens}",
            "output_tokens_max",
        )
    facts = ModelFacts(**{field.name: getattr(body, field.name) for field in fields(ModelFacts)})
    return Model(
        id=ModelId(create_id()),
        platform_id=control.platform_id,
        facts=facts,
        version=1,
        created_at=control.clock.now(),
    )


async def insert_model(transaction: Transaction, actor: str, model: Model) -> None:
    """Write a model, its event and its mark in the snapshot; raises AlreadyExists when the name is taken."""
    await transaction.models.insert(model)
    detail = {"name": model.facts.name, "weights_sha256": model.facts.weights_sha256}
    await transaction.events.append(EventDraft(actor, "model.created", model.id, detail))
    await transaction.snapshot.touch(SnapshotTable.MODELS, [model.id])
