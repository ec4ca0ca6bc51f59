"""The token of an invitation: one word that holds where the parent is, who it is, and a secret that never travels."""

import pytest
from pydantic import ValidationError

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import InvitationId, PlatformId
from keisan.domain.key import Secret
from keisan.kit.ids import create_id
from keisan.wire.invitation import (
    TOKEN_PREFIX,
    InvitationCreate,
    InvitationToken,
    decode_token,
    digest_token,
    encode_token,
    prove_invitation,
)

PARENT, CHILD = PlatformId("a" * 64), PlatformId("b" * 64)
TOKEN = InvitationToken("https://nation.example:8080", PARENT, InvitationId(create_id()), Secret("the secret"))


def test_a_token_is_read_back_as_it_was_written_and_shows_no_secret() -> None:
    word = encode_token(TOKEN)
    read = decode_token(Secret(f"  {word.reveal()}\n"))
    assert (read.url, read.platform_id, read.invitation_id) == (TOKEN.url, PARENT, TOKEN.invitation_id)
    assert read.secret.reveal() == "the secret"
    assert digest_token(read) == digest_token(TOKEN)
    assert "the secret" not in repr(read)


@pytest.mark.parametrize("change", [str.swapcase, lambda word: word[:-8], lambda word: word[:40] + "!" + word[41:]])
def test_a_damaged_token_is_refused_and_told_nothing_of(change: type[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_token(Secret(change(encode_token(TOKEN).reveal())))
    assert refused.value.field == "token"


@pytest.mark.parametrize("word", ["", TOKEN_PREFIX, TOKEN_PREFIX + "e30", "sk-keisan-x", TOKEN_PREFIX + "A" * 5000])
def test_what_is_no_token_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput):
        decode_token(Secret(word))


def test_a_proof_is_of_one_secret_one_child_and_one_parent() -> None:
    digest = digest_token(TOKEN)
    proofs = {prove_invitation(digest, CHILD, PARENT), prove_invitation("0" * 64, CHILD, PARENT)}
    assert len(proofs | {prove_invitation(digest, PARENT, CHILD)}) == 3
    assert prove_invitation(digest, CHILD, PARENT) in proofs


@pytest.mark.parametrize(
    "wrong", [{"url": "nation"}, {"url": "https://x/y"}, {"region": "Shanxi"}, {"prefix": "cn.sx"}, {"life_s": 1}]
)
def test_what_cannot_be_proposed_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        InvitationCreate.model_validate({"url": "https://nation.example", **wrong})
