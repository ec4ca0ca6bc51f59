"""What a person sees while things start: a spinner that tells the present step, or plain lines without a terminal."""

from typing import Protocol

from rich.console import Console
from rich.status import Status


class Telling(Protocol):
    """Whoever shows what is being done."""

    def tell(self, text: str) -> None:
        """Say what is being done now; the same text again changes nothing."""
        ...


class Progress:
    """`console` is that of standard output, or of standard error where standard output is for a program."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = ""
        self._status: Status | None = None

    @property
    def is_terminal(self) -> bool:
        """Tell whether somebody sees one line change, and not each of them one after the other."""
        return self._console.is_terminal

    def tell(self, text: str) -> None:
        """Say what is being done now; the same text again changes nothing."""
        if text == self._told:
            return
        self._told = text
        if not self._console.is_terminal:
            self._console.print(f"keisan: {text}", markup=False, highlight=False, soft_wrap=True)
        elif self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._status.update(text)

    def finish(self, text: str = "") -> None:
        """Take the spinner away, and leave a line behind if there is one."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        if text:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
