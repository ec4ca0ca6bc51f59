"""Keys and secrets: 256 bits, masked wherever they could be printed, digests of the whole text."""

import base64
import hashlib

import pytest

from keisan.domain.access import RIGHTS_BY_ROLE, OrganizationScope, ProviderScope, Role
from keisan.domain.errors import PermissionDenied
from keisan.domain.ids import PlatformId
from keisan.domain.key import (
    KEY_HOME_DIGITS,
    KEY_PREFIX,
    KEY_SECRET_BYTES,
    MACHINE_PREFIX,
    Secret,
    create_home_secret,
    create_salt,
    create_secret,
    digest_secret,
)
from tests.domain.samples import KEY_ID, ORGANIZATION_ID, PROJECT_ID, PROVIDER_ID, build_key


def test_secret_holds_256_random_bits_behind_its_prefix() -> None:
    texts = {create_secret().reveal() for _ in range(100)}
    assert len(texts) == 100
    for text in texts:
        assert text.startswith(KEY_PREFIX)
        assert len(base64.urlsafe_b64decode(text.removeprefix(KEY_PREFIX) + "=")) == KEY_SECRET_BYTES
    assert create_secret(MACHINE_PREFIX).reveal().startswith(MACHINE_PREFIX)


def test_a_key_tells_its_home_before_its_random_bits() -> None:
    home = PlatformId("ab" * 32)
    texts = {create_home_secret(home).reveal() for _ in range(100)}
    assert len(texts) == 100
    for text in texts:
        assert text.startswith(f"{KEY_PREFIX}{home[:KEY_HOME_DIGITS]}-")
        secret = text[len(KEY_PREFIX) + KEY_HOME_DIGITS + 1 :]
        assert len(base64.urlsafe_b64decode(secret + "=")) == KEY_SECRET_BYTES


def test_secret_is_masked_in_every_print() -> None:
    secret = create_secret()
    shown = f"{secret} {secret!r} {[secret]} {secret!s}"
    assert secret.reveal() not in shown
    assert shown.count("****") == 4


def test_secret_has_no_other_attribute_to_print() -> None:
    assert not hasattr(Secret("x"), "__dict__")


def test_digest_covers_the_prefix() -> None:
    assert digest_secret(Secret("sk-keisan-abc")) == hashlib.sha256(b"sk-keisan-abc").hexdigest()


def test_key_stands_for_its_organization_and_project() -> None:
    principal = build_key(role=Role.DEVELOPER).to_principal()
    assert (principal.id, principal.organization_id, principal.project_id) == (KEY_ID, ORGANIZATION_ID, PROJECT_ID)
    assert principal.scope == OrganizationScope(ORGANIZATION_ID)
    assert principal.rights == RIGHTS_BY_ROLE[Role.DEVELOPER]
    assert principal.site_id is None


def test_provider_key_stands_for_its_provider_or_for_nobody() -> None:
    principal = build_key(role=Role.PROVIDER, provider_id=PROVIDER_ID).to_principal()
    assert principal.scope == ProviderScope(PROVIDER_ID)
    with pytest.raises(PermissionDenied):
        build_key(role=Role.PROVIDER).to_principal()


def test_salts_are_long_and_never_the_same() -> None:
    salts = {create_salt() for _ in range(50)}
    assert len(salts) == 50
    assert {len(bytes.fromhex(salt)) for salt in salts} == {32}
