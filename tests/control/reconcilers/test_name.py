"""The work that tells names: one row, due again when the list of revocations is to be proven anew."""

from pathlib import Path

from keisan.control.name import NAMES_ID, PROOF
from keisan.control.reconcilers.name import NameReconciler
from keisan.domain.access import PlatformScope
from keisan.domain.letter import LetterKind
from keisan.kit.ids import create_id
from tests.control.link_world import open_nation


async def test_names_are_told_at_each_turn(tmp_path: Path, migrated_file: Path) -> None:
    async with open_nation(tmp_path, migrated_file) as nation:
        member = await nation.add()
        reconciler, now = NameReconciler(member.control), member.clock.now()
        async with member.control.storage.write() as transaction:
            assert await reconciler.load(transaction, create_id()) is None
            state = await reconciler.load(transaction, NAMES_ID)
            assert state is not None
            assert await reconciler.apply(transaction, reconciler.decide(state, now), now) == now + PROOF
            for kind in (LetterKind.PLATFORM, LetterKind.REVOCATION):
                assert len(await transaction.registers.list_kind(PlatformScope(), kind)) == 1
