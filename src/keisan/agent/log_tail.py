"""The end of an engine's log, read again only when the file has changed."""

from pathlib import Path

from keisan.domain.limits import LOG_TAIL_CHARACTERS_MAX


class LogTail:
    """The last LOG_TAIL_CHARACTERS_MAX characters of one file, from the start of a line where that fits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = (-1, -1)
        self._text = ""

    def read(self) -> str:
        """Return the tail, empty while there is no log."""
        try:
            stat = self._path.stat()
            if (stat.st_size, stat.st_mtime_ns) != self._seen:
                self._text = _read_end(self._path, stat.st_size)
                self._seen = (stat.st_size, stat.st_mtime_ns)
        except OSError:
            self._text = ""
        return self._text


def _read_end(path: Path, size_bytes: int) -> str:
    with path.open("rb") as file:
        file.seek(max(0, size_bytes - LOG_TAIL_CHARACTERS_MAX))
        text = file.read(LOG_TAIL_CHARACTERS_MAX).decode("utf-8", "replace")
    if size_bytes <= LOG_TAIL_CHARACTERS_MAX:
        return text
    # The first line is most likely cut; a tail of one endless line is kept as it is.
    return text.partition("\n")[2] or text
