"""Holds named commands against the console script's own tree of commands."""

import re
import shlex

import typer
from typer.core import TyperGroup

COMMAND = re.compile(r"[a-z][a-z-]*")


def check_command(line: str, application: typer.Typer) -> str | None:
    """Return what is wrong with a line such as `keisan keys create --json NAME`, or None."""
    command = typer.main.get_command(application)
    words = shlex.split(line, comments=True)[1:]
    known = {"--help"}
    while isinstance(command, TyperGroup) and words and COMMAND.fullmatch(words[0]):
        known |= {option for parameter in command.params for option in parameter.opts}
        found = command.commands.get(words[0])
        if found is None:
            return f"{line}: there is no command '{words[0]}'"
        command, words = found, words[1:]
    known |= {option for parameter in command.params for option in parameter.opts}
    for word in words:
        if word.startswith("--") and word.partition("=")[0] not in known:
            return f"{line}: there is no option '{word}'"
    return None
