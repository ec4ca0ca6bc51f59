"""Logs: one function, one line of JSON each, to standard error. No prompt text and no secret ever comes here.

Values are names, ids, counts and durations; a Secret given by mistake prints masked.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_LOGGER = logging.getLogger("keisan")


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line.update(fields)
        elif record.name != "keisan":
            line["source"] = record.name
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def start_logs(process: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send the logs of this process, and of its libraries from warnings up, to `stream` (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonFormatter())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.WARNING)
    _LOGGER.setLevel(level.upper())
    write_log("process.started", process=process)


def write_log(event: str, /, **fields: object) -> None:
    """Log that something happened: `noun.verb` and its fields."""
    _LOGGER.info(event, extra={"fields": fields})


def write_warning(event: str, /, **fields: object) -> None:
    """Log that something needs a look."""
    _LOGGER.warning(event, extra={"fields": fields})


def write_failure(event: str, failure: BaseException, /, **fields: object) -> None:
    """Log a failure with its traceback; for the loop owners, who may catch everything."""
    _LOGGER.error(event, exc_info=failure, extra={"fields": fields})
