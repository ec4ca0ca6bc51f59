"""`keisan chat`: one question, or a conversation; the answer appears as it is made."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput, KeisanError, NotFound
from keisan.sdk import ChatMessage, ChatOptions

QuestionArgument = Annotated[str | None, typer.Argument(help="The question; without one, a conversation.")]
ModelOption = Annotated[str | None, typer.Option(help="Name of the model; needed if there are several.")]
TemperatureOption = Annotated[float | None, typer.Option(help="0 answers the same each time.", min=0.0, max=2.0)]
TokensOption = Annotated[int | None, typer.Option("--max-tokens", help="The longest answer.", min=1)]


async def chat(
    session: Session,
    question: QuestionArgument = None,
    model: ModelOption = None,
    temperature: TemperatureOption = None,
    output_tokens_max: TokensOption = None,
) -> None:
    """Ask a model; without a question, talk with it until Ctrl-D."""
    name = await _choose_model(session, model)
    options = ChatOptions(output_tokens_max=output_tokens_max, temperature=temperature)
    if question is not None:
        await _answer(session, name, [ChatMessage("user", question)], options)
        return
    await _hold_conversation(session, name, options)


async def _hold_conversation(session: Session, name: str, options: ChatOptions) -> None:
    if session.output.is_json:
        raise InvalidInput("with --json a question is needed", "question")
    session.output.tell(f"talking with {name}; Ctrl-D ends it")
    messages: list[ChatMessage] = []
    while (said := _read_line(session)) is not None:
        messages.append(ChatMessage("user", said))
        try:
            messages.append(ChatMessage("assistant", await _answer(session, name, messages, options)))
        except KeisanError as fault:
            # A conversation outlives one refused message.
            messages.pop()
            session.output.tell(f"keisan: {fault.outside}")


async def _choose_model(session: Session, wanted: str | None) -> str:
    if wanted is not None:
        return wanted
    names = await session.keisan.gateways.list_models()
    if not names:
        raise NotFound("no model can be called with this key now; see `keisan status`")
    if len(names) > 1:
        raise InvalidInput(f"choose a model; there are: {', '.join(names)}", "--model")
    return names[0]


async def _answer(session: Session, model: str, messages: list[ChatMessage], options: ChatOptions) -> str:
    parts = []
    async for part in session.keisan.gateways.chat(model, messages, options):
        parts.append(part)
        if not session.output.is_json:
            session.output.show_text(part, end="")
    text = "".join(parts)
    if session.output.is_json:
        session.output.show_json({"model": model, "content": text})
    else:
        session.output.show_text("")
    return text


def _read_line(session: Session) -> str | None:
    while True:
        try:
            with _let_interrupt_through():
                said = input("> ").strip()
            # By its locale, what a terminal sends that is no text fails in reading or comes as half a character.
            said.encode()
        except (EOFError, KeyboardInterrupt) as end:
            # What comes next, a shell's prompt perhaps, begins a line of its own.
            session.output.tell("")
            if isinstance(end, EOFError):
                return None
            raise
        except UnicodeError:
            session.output.tell("keisan: expected text in UTF-8")
            continue
        if said:
            return said


@contextmanager
def _let_interrupt_through() -> Iterator[None]:
    """Let Ctrl-C end the block: the event loop only notes it, and acts when the read has returned, after an Enter."""
    noted = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, noted)


def add_commands(application: typer.Typer) -> None:
    """Add chat."""
    add_command(application, "chat", chat)
