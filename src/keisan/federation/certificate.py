"""Certificates between platforms: each platform is its own authority, with the key of which its id is the hash.

So whoever knows a platform's id needs nothing else to check what it issued. Who holds a certificate, where, and by which name is
read from its URIs (keisan://platform/ID, keisan://region/CODE, keisan://prefix/PREFIX), never from what the holder says.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keisan.domain.errors import InvalidInput, PermissionDenied
from keisan.domain.ids import PlatformId, parse_platform_id
from keisan.domain.limits import LINK_CERTIFICATE_S
from keisan.kit.signature import Signer, is_signed_by

URI_PLATFORM, URI_REGION, URI_PREFIX = "keisan://platform/", "keisan://region/", "keisan://prefix/"
# So long before it was issued a certificate begins to hold: clocks differ.
EARLY = timedelta(hours=1)
# An authority ends with its platform; the last instant is X.509's word for no end (RFC 5280, 4.1.2.5).
AUTHORITY_LIFE = (datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
# SEQUENCE { OID 1.3.101.112 }: Ed25519 (RFC 8410).
_ED25519 = bytes.fromhex("300506032b6570")
# What is signed does not hang on the key that signs, so any of this kind gives the form; the platform's own then signs it.
_FORM_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@dataclass(frozen=True, slots=True)
class CertificateHolder:
    """Whom a certificate is for, with what was issued to it: `region` is None for an industry platform.

    `public_key` is that of the link (32 raw bytes), which is not the one of the platform's id.
    """

    platform_id: PlatformId
    region: str | None
    prefix: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class PlatformCertificate:
    """A certificate that was read, and checked if parse_certificate was given keys."""

    holder: CertificateHolder
    starts_at: datetime
    ends_at: datetime


class Standing(StrEnum):
    """What the holder of a certificate may do: all that its link allows, only renew it, or nothing."""

    GOOD = "good"
    RENEW = "renew"
    NONE = "none"


def name_host(platform_id: PlatformId) -> str:
    """Return the host name in a platform's certificates, for TLS libraries that insist on one; it is in no directory."""
    return f"{platform_id[:32]}.{platform_id[32:]}.platform.keisan.internal"


def build_authority(signer: Signer, platform_id: PlatformId, serial: int) -> str:
    """Return a platform's certificate as an authority (PEM), which it signs itself."""
    subject = _name_subject(platform_id)
    builder = _begin(subject, subject, signer.public_key, serial, AUTHORITY_LIFE)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_describe_usage(is_authority=True), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(URI_PLATFORM + platform_id)]), critical=False
        )
    )
    return _sign(builder, signer)


def issue_certificate(
    signer: Signer, platform_id: PlatformId, holder: CertificateHolder, serial: int, now: datetime
) -> str:
    """Return a certificate (PEM) of 90 days that a platform issues to a child, a gateway of it, or itself.

    Raises InvalidInput for a public key that is none.
    """
    uris = [URI_PLATFORM + holder.platform_id, URI_PREFIX + holder.prefix if holder.prefix else ""]
    uris.append(URI_REGION + holder.region if holder.region else "")
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris if uri]
    ends_at = now + timedelta(seconds=LINK_CERTIFICATE_S)
    subject, issuer = _name_subject(holder.platform_id, "link"), _name_subject(platform_id)
    builder = _begin(subject, issuer, holder.public_key, serial, (now - EARLY, ends_at))
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_describe_usage(is_authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([*names, x509.DNSName(name_host(holder.platform_id))]), critical=False
        )
        .add_extension(_identify_issuer(signer.public_key), critical=False)
    )
    return _sign(builder, signer)


def parse_certificate(content: str | bytes, authority_keys: Collection[bytes]) -> PlatformCertificate:
    """Return what a certificate (PEM, or DER as TLS hands it over) says, signed by one of an authority's keys.

    It is not checked here whether it has ended: judge_certificate does. Raises InvalidInput for what is no such certificate,
    PermissionDenied for one that nobody named here has signed.
    """
    read = _read(content)
    if not any(is_signed_by(key, read.tbs_certificate_bytes, read.signature) for key in authority_keys):
        raise PermissionDenied("this certificate was issued by another authority")
    holder = CertificateHolder(
        platform_id=parse_platform_id(_find_uri(read, URI_PLATFORM)),
        region=_find_uri(read, URI_REGION) or None,
        prefix=_find_uri(read, URI_PREFIX),
        public_key=_read_public_key(read),
    )
    return PlatformCertificate(holder, read.not_valid_before_utc, read.not_valid_after_utc)


def judge_certificate(found: PlatformCertificate, pinned_key: bytes, now: datetime) -> Standing:
    """Return what the holder may do: one whose key is not the pinned one nothing, one that has ended only renew."""
    if found.holder.public_key != pinned_key or now < found.starts_at:
        return Standing.NONE
    return Standing.RENEW if now >= found.ends_at else Standing.GOOD


def read_authority_key(content: str) -> bytes:
    """Return the public key of an authority's certificate (PEM), signed by that key; raises InvalidInput for what is none."""
    read = _read(content)
    key = _read_public_key(read)
    if not is_signed_by(key, read.tbs_certificate_bytes, read.signature):
        raise InvalidInput("this is not the certificate of an authority", "certificate")
    return key


def split_certificates(content: str) -> list[str]:
    """Return the certificates of a text one by one (PEM); raises InvalidInput for what is none."""
    try:
        found = x509.load_pem_x509_certificates(content.encode())
    except ValueError as fault:
        raise InvalidInput("not certificates", "certificate", str(fault)) from fault
    return [each.public_bytes(Encoding.PEM).decode() for each in found]


def _read(content: str | bytes) -> x509.Certificate:
    try:
        if isinstance(content, str):
            return x509.load_pem_x509_certificate(content.encode())
        return x509.load_der_x509_certificate(content)
    except ValueError as fault:
        raise InvalidInput("not a certificate", "certificate", str(fault)) from fault


def _read_public_key(read: x509.Certificate) -> bytes:
    try:
        key = read.public_key()
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise InvalidInput("not a certificate of an Ed25519 key", "certificate", str(fault)) from fault
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInput("not a certificate of an Ed25519 key", "certificate")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _find_uri(read: x509.Certificate, beginning: str) -> str:
    """Return what follows a beginning in the one URI that has it, empty if none has."""
    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as fault:
        raise InvalidInput("a certificate that names nobody", "certificate", str(fault)) from fault
    found = [
        uri.removeprefix(beginning)
        for uri in names.get_values_for_type(x509.UniformResourceIdentifier)
        if uri.startswith(beginning)
    ]
    if len(found) > 1:
        raise InvalidInput(f"a certificate names one of {beginning}", "certificate")
    return found[0] if found else ""


def _name_subject(platform_id: PlatformId, unit: str = "") -> x509.Name:
    # A common name has 64 characters at most (RFC 5280): an id is just that.
    names = [x509.NameAttribute(NameOID.COMMON_NAME, platform_id)]
    if unit:
        names.append(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    return x509.Name(names)


def _begin(
    subject: x509.Name, issuer: x509.Name, public_key: bytes, serial: int, life: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError as fault:
        raise InvalidInput("a public key is 32 bytes of Ed25519", "public_key", str(fault)) from fault
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(life[0])
        .not_valid_after(life[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _identify_issuer(public_key: bytes) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(Ed25519PublicKey.from_public_bytes(public_key))


def _describe_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_authority,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _sign(builder: x509.CertificateBuilder, signer: Signer) -> str:
    """Return the certificate signed by what may only sign bytes: SEQUENCE { what is signed, Ed25519, BIT STRING signature }."""
    content = builder.sign(_FORM_KEY, None).tbs_certificate_bytes
    signature = signer.sign(content)
    inner = content + _ED25519 + b"\x03" + _encode_length(len(signature) + 1) + b"\0" + signature
    signed = x509.load_der_x509_certificate(b"\x30" + _encode_length(len(inner)) + inner)
    return signed.public_bytes(Encoding.PEM).decode()


def _encode_length(length_bytes: int) -> bytes:
    if length_bytes < 0x80:
        return bytes([length_bytes])
    encoded = length_bytes.to_bytes((length_bytes.bit_length() + 7) // 8)
    return bytes([0x80 | len(encoded)]) + encoded
