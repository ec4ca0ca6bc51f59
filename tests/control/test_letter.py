"""Letters of the platform's own: appended towards where their audience is heard from, or kept as the newest word."""

from dataclasses import replace

import pytest

from keisan.control.context import Control
from keisan.control.letter import draft_letter, put_register, send_letters
from keisan.domain.errors import InvariantBroken, NotFound
from keisan.domain.ids import LinkId
from keisan.domain.letter import LetterKind
from keisan.domain.link_log import LinkLog
from keisan.kit.ids import create_id
from keisan.wire.letter import LetterDraft, decode_letter, sign_letter
from tests.control.people import EVERYTHING
from tests.domain.credit_samples import OTHER_ID
from tests.factories import SIGNER


async def test_letter_goes_by_the_link_by_which_its_audience_is_heard(control: Control) -> None:
    draft, link_id = draft_letter(control, LetterKind.CREDIT_RETURN, b"{}", OTHER_ID), LinkId(create_id())
    heard = LetterDraft(draft.id, LetterKind.PLATFORM, 1, name="platform", version=1)
    async with control.storage.write() as transaction:
        for lost in (draft, replace(draft, audience=None)):
            with pytest.raises(NotFound):
                await send_letters(transaction, control, [lost])
        await transaction.registers.put(sign_letter(heard, OTHER_ID, SIGNER), link_id)
        (sent,) = await send_letters(transaction, control, [draft])
        (item,) = await transaction.outgoing_logs.read(EVERYTHING, link_id, LinkLog.LEDGER, 0, 10_000)
    assert decode_letter(item.letter) == sent
    assert (sent.author, sent.audience, sent.body) == (control.platform_id, OTHER_ID, b"{}")


async def test_register_rises_by_one_with_each_word_that_is_new(control: Control) -> None:
    draft = replace(draft_letter(control, LetterKind.CREDIT, b"1", OTHER_ID), name="a name")
    async with control.storage.write() as transaction:
        first = await put_register(transaction, control, draft)
        assert await put_register(transaction, control, draft) == first
        second = await put_register(transaction, control, replace(draft, body=b"2"))
        gone = await put_register(transaction, control, replace(draft, body=b"2", is_deleted=True))
        assert [first.version, second.version, gone.version] == [1, 2, 3]
        with pytest.raises(InvariantBroken):
            await put_register(transaction, replace(control, signer=None), replace(draft, body=b"3"))
