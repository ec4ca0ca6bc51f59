"""`path:/srv/models/model.gguf`: weights that somebody put on this host. Nothing is copied; the digest is checked."""

from pathlib import Path

from keisan.domain.errors import WeightsInvalid
from keisan.weights.base import Progress, WeightsRequest, split_reference
from keisan.weights.digest import verify_file


class PathSource:
    """Files of this host, by absolute path."""

    scheme = "path"

    def fetch(self, request: WeightsRequest, report: Progress) -> Path:
        """Return the file itself; raises WeightsInvalid as WeightsSource.fetch says."""
        path = Path(split_reference(request.reference, self.scheme))
        if not path.is_absolute():
            raise WeightsInvalid(f"expected an absolute path in '{request.reference}'")
        if not path.is_file():
            raise WeightsInvalid(f"there is no file {path} on this host")
        verify_file(path, request, report)
        return path
