"""Certificates of platforms: TLS takes them, both ways, and takes no other; who the other side is comes from them alone."""

import socket
import ssl
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from keisan.domain.errors import InvalidInput, PermissionDenied
from keisan.domain.link import is_certificate_due
from keisan.federation.certificate import (
    URI_REGION,
    CertificateHolder,
    Standing,
    build_authority,
    issue_certificate,
    judge_certificate,
    name_host,
    parse_certificate,
    read_authority_key,
    split_certificates,
)
from keisan.kit.clock import SystemClock
from keisan.kit.ids import create_id
from tests.federation.tree import NOW, Person, make_signer

PARENT, STRANGER = Person("cn"), Person("zz")
CHILD = PARENT.bear("sx", "CN-SX")
TODAY = SystemClock().now().replace(microsecond=0)


def read_public_key(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


class Side:
    """One end of a TLS connection: a link key with a certificate that `issuer` gave `person`."""

    def __init__(self, folder: Path, person: Person, issuer: Person, ends_in: timedelta = timedelta(days=90)) -> None:
        self.key = Ed25519PrivateKey.generate()
        holder = CertificateHolder(person.id, person.region or None, person.prefix, read_public_key(self.key))
        now = TODAY + ends_in - timedelta(days=90)
        self.certificate = issue_certificate(issuer.signers[0], issuer.id, holder, create_id().int, now)
        self.path = folder / f"{create_id()}.pem"
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.path.write_bytes(private + self.certificate.encode())

    def build_context(self, purpose: ssl.Purpose, authority: Person) -> ssl.SSLContext:
        context = ssl.create_default_context(purpose, cadata=build_authority(authority.signers[0], authority.id, 1))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        # Python's own strictest checks of RFC 5280, which later versions have on by default.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_cert_chain(self.path)
        return context


def shake_hands(child: Side, parent: Side, authority: Person, trusted: Person) -> tuple[bytes, bytes]:
    """Return the certificates that each side saw of the other (child's, parent's)."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        connection.settimeout(5)
        try:
            with parent.build_context(ssl.Purpose.CLIENT_AUTH, authority).wrap_socket(
                connection, server_side=True
            ) as tls:
                found = tls.getpeercert(binary_form=True)
                assert found is not None
                seen.append(found)
                tls.sendall(b".")
        except (ssl.SSLError, OSError):
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        plain = socket.create_connection(listener.getsockname(), timeout=5)
        context = child.build_context(ssl.Purpose.SERVER_AUTH, trusted)
        with context.wrap_socket(plain, server_hostname=name_host(PARENT.id)) as tls:
            # With TLS 1.3 a client learns only from the first answer whether it was let in.
            if tls.recv(1) != b".":
                raise ConnectionError("not let in")
            found = tls.getpeercert(binary_form=True)
            assert found is not None
            return seen[0], found
    finally:
        thread.join()
        listener.close()


def test_two_platforms_know_each_other_by_their_certificates(tmp_path: Path) -> None:
    child, parent = Side(tmp_path, CHILD, PARENT), Side(tmp_path, PARENT, PARENT)
    seen_child, seen_parent = shake_hands(child, parent, PARENT, PARENT)
    found = parse_certificate(seen_child, [PARENT.chain.newest_key])
    assert found.holder == CertificateHolder(CHILD.id, "CN-SX", "cn.sx", read_public_key(child.key))
    assert found == parse_certificate(child.certificate, [PARENT.chain.newest_key])
    assert parse_certificate(seen_parent, [PARENT.chain.newest_key]).holder.platform_id == PARENT.id


@pytest.mark.parametrize("fault", ["foreign child", "foreign parent", "expired", "not yet"])
def test_tls_lets_nobody_in_whom_the_parent_gave_nothing_or_whose_time_is_over(tmp_path: Path, fault: str) -> None:
    days = {"expired": timedelta(seconds=-1), "not yet": timedelta(days=92)}.get(fault, timedelta(days=90))
    child = Side(tmp_path, CHILD, STRANGER if fault == "foreign child" else PARENT, days)
    parent = Side(tmp_path, PARENT, STRANGER if fault == "foreign parent" else PARENT)
    with pytest.raises(OSError, match=r"not let in|certificate|alert|unknown"):
        shake_hands(child, parent, PARENT, PARENT)


def test_an_authority_is_known_by_the_platforms_id_alone() -> None:
    authority = build_authority(PARENT.signers[0], PARENT.id, 1)
    assert read_authority_key(authority) == PARENT.chain.first_key
    with pytest.raises(InvalidInput, match="not the certificate of an authority"):
        read_authority_key(issue(CHILD))


def test_a_text_of_certificates_is_read_one_by_one_and_any_other_is_refused() -> None:
    texts = [build_authority(PARENT.signers[0], PARENT.id, number) for number in (1, 2)]
    assert split_certificates("".join(texts)) == texts
    for text in ("", "certificates"):
        with pytest.raises(InvalidInput, match="not certificates"):
            split_certificates(text)


def issue(person: Person, issuer: Person = PARENT, **changes: object) -> str:
    holder = CertificateHolder(person.id, person.region or None, person.prefix, make_signer().public_key)
    return issue_certificate(issuer.signers[0], issuer.id, replace(holder, **changes), 7, NOW)  # type: ignore[arg-type]  # by name


def test_who_issued_a_certificate_is_checked_by_key() -> None:
    with pytest.raises(PermissionDenied):
        parse_certificate(issue(CHILD, STRANGER), [PARENT.chain.newest_key])
    with pytest.raises(PermissionDenied):
        parse_certificate(issue(CHILD), [])
    parse_certificate(issue(CHILD), [STRANGER.chain.newest_key, PARENT.chain.newest_key])


def test_an_industry_platform_has_no_region_and_a_top_one_no_prefix() -> None:
    holder = parse_certificate(issue(Person()), [PARENT.chain.newest_key]).holder
    assert (holder.region, holder.prefix) == (None, "")


def test_a_certificate_lives_ninety_days_and_is_due_when_a_third_is_left() -> None:
    found = parse_certificate(issue(CHILD), [PARENT.chain.newest_key])
    assert found.ends_at == NOW + timedelta(days=90)
    assert not is_certificate_due(NOW, found.ends_at, NOW + timedelta(days=59))
    assert is_certificate_due(NOW, found.ends_at, NOW + timedelta(days=60))


def test_one_that_has_ended_may_only_renew_and_one_of_another_key_nothing() -> None:
    found = parse_certificate(issue(CHILD), [PARENT.chain.newest_key])
    pinned = found.holder.public_key
    assert judge_certificate(found, pinned, NOW) is Standing.GOOD
    assert judge_certificate(found, pinned, found.ends_at - timedelta(seconds=1)) is Standing.GOOD
    assert judge_certificate(found, pinned, found.ends_at) is Standing.RENEW
    assert judge_certificate(found, pinned, found.starts_at - timedelta(seconds=1)) is Standing.NONE
    for now in (NOW, found.ends_at):
        assert judge_certificate(found, make_signer().public_key, now) is Standing.NONE


def test_what_is_no_certificate_of_a_platform_is_refused() -> None:
    keys = [PARENT.chain.newest_key]
    for content in ("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"", b"\x30\x00"):
        with pytest.raises(InvalidInput, match="not a certificate"):
            parse_certificate(content, keys)
    with pytest.raises(InvalidInput, match="32 bytes"):
        issue(CHILD, public_key=b"short")


def test_a_key_of_a_kind_that_nobody_knows_is_refused() -> None:
    known = x509.load_pem_x509_certificate(build_authority(PARENT.signers[0], PARENT.id, 1).encode())
    unknown = known.public_bytes(Encoding.DER).replace(
        bytes.fromhex("03 2b6570 032100"), bytes.fromhex("03 2b657f 032100")
    )
    with pytest.raises(InvalidInput, match="Ed25519 key"):
        read_authority_key(x509.load_der_x509_certificate(unknown).public_bytes(Encoding.PEM).decode())


def sign_by_hand(uris: list[str], *, has_names: bool = True, is_elliptic: bool = False) -> str:
    """Return a certificate of other contents than this code issues, signed by STRANGER's key as far as that is an Ed25519 one."""
    signer = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1")
    name = x509.Name([])
    public = generate_private_key(SECP256R1()).public_key() if is_elliptic else signer.public_key()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public).serial_number(1)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    if has_names:
        names = [x509.UniformResourceIdentifier(each) for each in uris]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, None).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("uris", "changes", "text"),
    [
        ([], {"has_names": False}, "names nobody"),
        (["keisan://region/CN-SX"], {}, "platform id"),
        ([f"keisan://platform/{CHILD.id}"] * 2, {}, "names one"),
        ([f"keisan://platform/{CHILD.id}", URI_REGION + "CN-SX", URI_REGION + "CN-HB"], {}, "names one"),
        ([f"keisan://platform/{CHILD.id}"], {"is_elliptic": True}, "Ed25519 key"),
    ],
)
def test_a_certificate_that_names_nobody_or_two_is_refused(
    uris: list[str], changes: dict[str, bool], text: str
) -> None:
    key = read_public_key(Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1"))
    with pytest.raises(InvalidInput, match=text):
        parse_certificate(sign_by_hand(uris, **changes), [key])
