"""Registers of the platform's own: one version above what is kept, and the same word once."""

from dataclasses import replace

import pytest

from keisan.control.context import Control
from keisan.control.letter import draft_letter, put_register
from keisan.domain.errors import InvariantBroken
from keisan.domain.letter import LetterKind


async def test_register_rises_with_each_other_word_and_not_with_the_same(control: Control) -> None:
    versions = []
    for body in (b"one", b"one", b"two", b"one"):
        draft = replace(draft_letter(control, LetterKind.GRANT, body), name="a")
        async with control.storage.write() as transaction:
            letter = await put_register(transaction, control, draft)
        versions.append((letter.version, letter.body))
    assert versions == [(1, b"one"), (1, b"one"), (2, b"two"), (3, b"one")]


async def test_platform_without_a_key_signs_nothing(control: Control) -> None:
    keyless = replace(control, signer=None)
    with pytest.raises(InvariantBroken):
        async with control.storage.write() as transaction:
            await put_register(transaction, keyless, replace(draft_letter(control, LetterKind.GRANT, b""), name="a"))
