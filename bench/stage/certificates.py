"""Certificates of platforms as files, made with the library that platforms use: authorities, and who they issue to."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """What a gateway is given: its certificate, its key, and whom to believe."""

    certificate: Path
    key: Path
    authorities: Path


class Authority:
    """An authority with a key of its own, in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        folder.mkdir(parents=True, exist_ok=True)
        self._key = Ed25519PrivateKey.generate()
        subject = _name(name)
        builder = _begin(subject, subject, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.path = folder / f"{name}.ca.pem"
        self.path.write_bytes(builder.sign(self._key, None).public_bytes(serialization.Encoding.PEM))
        self._subject = subject

    def issue(self, platform_id: str | None, ends_in_s: float = 3600.0, file: str = "") -> CertificateFiles:
        """Write a certificate that names a platform, or none, and its key."""
        key = Ed25519PrivateKey.generate()
        names = [x509.DNSName("gateway.example")]
        uris = [] if platform_id is None else [x509.UniformResourceIdentifier(f"keisan://platform/{platform_id}")]
        builder = (
            _begin(_name("gateway"), self._subject, key, ends_in_s)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([*names, *uris]), critical=False)
        )
        base = file or f"{self.name}-{platform_id and platform_id[:6]}"
        certificate, key_path = self.folder / f"{base}.pem", self.folder / f"{base}.key"
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        certificate.write_bytes(builder.sign(self._key, None).public_bytes(serialization.Encoding.PEM))
        return CertificateFiles(certificate, key_path, self.path)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _begin(
    subject: x509.Name, issuer: x509.Name, key: Ed25519PrivateKey, ends_in_s: float = 3600.0
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(seconds=ends_in_s))
    )
