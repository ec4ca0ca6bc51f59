"""Webhooks: who hears of what, by which secrets it is signed, and for how long by the one before."""

import hashlib
import hmac
from datetime import timedelta

import pytest

from keisan.domain.alert import AlertKind
from keisan.domain.ids import OrganizationId
from keisan.domain.key import Secret
from keisan.domain.limits import WEBHOOK_SECRET_KEPT_S
from keisan.domain.webhook import WebhookState, derive_secret, list_salts, sign_body
from tests.domain.samples import NOW, build_alert, build_webhook, name_id

ROOT = Secret("a root")
OLD, NEW = "0a" * 32, "0b" * 32
OTHER = OrganizationId(name_id(1, 2))


def test_secret_is_another_for_each_root_webhook_and_salt() -> None:
    webhook_id = build_webhook().id
    secret = derive_secret(ROOT, webhook_id, OLD).reveal()
    assert secret == derive_secret(ROOT, webhook_id, OLD).reveal()
    assert secret.startswith("ws-keisan-")
    others = [(Secret("another"), webhook_id, OLD), (ROOT, name_id(16, 2), OLD), (ROOT, webhook_id, NEW)]
    texts = {derive_secret(root, owner_id, salt).reveal() for root, owner_id, salt in others}  # type: ignore[arg-type]  # an id
    assert len(texts | {secret}) == 4


@pytest.mark.parametrize(
    ("changes", "alert", "is_wanting"),
    [
        ({}, {}, True),
        ({}, {"organization_id": OTHER}, False),
        ({}, {"organization_id": None}, False),
        ({"organization_id": None}, {}, True),
        ({"organization_id": None}, {"organization_id": None}, True),
        ({"kinds": (AlertKind.WALLET_LOW,)}, {}, True),
        ({"kinds": (AlertKind.STATEMENT_CLOSED,)}, {}, False),
        ({"state": WebhookState.DISABLED}, {}, False),
    ],
)
def test_who_hears_of_what(changes: dict[str, object], alert: dict[str, object], is_wanting: bool) -> None:
    assert build_webhook(**changes).is_wanting(build_alert(**alert)) == is_wanting


def test_secret_before_signs_for_a_day() -> None:
    rotated = build_webhook(salt=NEW, other_salt=OLD, rotated_at=NOW)
    assert list_salts(rotated, NOW) == (NEW, OLD)
    end = NOW + timedelta(seconds=WEBHOOK_SECRET_KEPT_S)
    assert list_salts(rotated, end - timedelta(microseconds=1)) == (NEW, OLD)
    assert list_salts(rotated, end) == (NEW,)
    assert list_salts(build_webhook(salt=NEW), NOW) == (NEW,)


def test_signature_is_of_the_time_a_dot_and_the_body() -> None:
    marks = [hmac.new(key, b"1800000000.{}", hashlib.sha256).hexdigest() for key in (b"one", b"two")]
    signature = sign_body((Secret("one"), Secret("two")), b"{}", 1_800_000_000)
    assert signature == f"t=1800000000,v1={marks[0]},v1={marks[1]}"
