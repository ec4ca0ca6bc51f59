"""What every command has: the options that name the platform, --json, and faults told as one line and an exit code."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from keisan.cli.exit_code import ExitCode, choose_exit_code
from keisan.cli.output import Output
from keisan.cli.session import ConnectionOptions, Session
from keisan.domain.errors import InvalidInput, KeisanError
from keisan.wire.base import explain_refusal

PANEL = "Connection and output"
Work = Callable[..., Awaitable[None]]
SHARED: Mapping[str, object] = {
    "is_json": Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=PANEL)],
    "platform_url": Annotated[
        str | None, typer.Option("--url", help="Platform (or KEISAN_PLATFORM_URL).", rich_help_panel=PANEL)
    ],
    "gateway_url": Annotated[
        str | None, typer.Option("--gateway-url", help="Gateway (or KEISAN_GATEWAY_URL).", rich_help_panel=PANEL)
    ],
    "api_key": Annotated[str | None, typer.Option("--key", help="Key (or KEISAN_API_KEY).", rich_help_panel=PANEL)],
    "ca_path": Annotated[
        Path | None, typer.Option("--ca", help="Certificate to trust (or KEISAN_CA_PATH).", rich_help_panel=PANEL)
    ],
    "data": Annotated[
        Path | None, typer.Option("--data", help="Data directory of `keisan up`.", rich_help_panel=PANEL)
    ],
}


def add_command(application: typer.Typer, name: str, work: Work, **settings: Any) -> None:
    """Make `work(session, ...)` a command: its parameters after the session are its own options.

    A parameter that is a dataclass stands for the options that are its fields.
    """
    application.command(name, help=work.__doc__, **settings)(_build_run(work))


def add_default(group: typer.Typer, work: Work) -> None:
    """Make `work(session, ...)` what a group does when none of its commands is named."""
    group.callback(invoke_without_command=True, help=work.__doc__)(_build_run(work))


def _build_run(work: Work) -> Callable[..., None]:
    """Return the function that typer runs, with all options of a command."""
    hints: dict[str, Any] = get_type_hints(work)
    groups: dict[str, Any] = {
        option: hint for option, hint in hints.items() if is_dataclass(hint) and hint is not Session
    }
    own = [option for parameter in _list_own(work) for option in _list_options(parameter, groups)]
    shared = [
        inspect.Parameter(
            option,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if option == "is_json" else None,
            annotation=annotation,
        )
        for option, annotation in SHARED.items()
    ]
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

    def run(context: typer.Context, **arguments: Any) -> None:
        # A group's own work, and one of its commands comes after.
        if context.invoked_subcommand is not None:
            return
        raise typer.Exit(_run_work(work, groups, context, arguments))

    run.__signature__ = inspect.Signature([context, *own, *shared])  # type: ignore[attr-defined]  # how typer learns it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [context, *own, *shared]}
    return run


def add_local_command(application: typer.Typer, name: str, work: Callable[..., None]) -> None:
    """Make `work(output, ...)` a command that speaks to nobody: its parameters after the output are its own options."""
    is_json = inspect.Parameter("is_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=SHARED["is_json"])
    own = [*_list_own(work), is_json]

    def run(*, is_json: bool, **arguments: Any) -> None:
        output = Output(is_json=is_json)
        try:
            _check_texts(arguments)
            work(output, **arguments)
        except KeisanError as fault:
            raise typer.Exit(tell_fault(output, fault)) from fault

    run.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]  # how typer learns it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in own}
    application.command(name, help=work.__doc__)(run)


def _list_own(work: Callable[..., object]) -> list[inspect.Parameter]:
    hints = get_type_hints(work, include_extras=True)
    return [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in list(inspect.signature(work).parameters.values())[1:]
    ]


def _list_options(parameter: inspect.Parameter, groups: Mapping[str, Any]) -> list[inspect.Parameter]:
    group = groups.get(parameter.name)
    if group is None:
        return [parameter]
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(field.name, parameter.kind, default=field.default, annotation=hints[field.name])
        for field in fields(group)
    ]


def _run_work(work: Work, groups: Mapping[str, Any], context: typer.Context, arguments: dict[str, Any]) -> ExitCode:
    output = Output(is_json=bool(arguments.pop("is_json")))
    options = ConnectionOptions(**{name: arguments.pop(name) for name in SHARED if name != "is_json"})
    try:
        _check_texts(arguments)
        target = context.obj(options)
        for parameter, group in groups.items():
            arguments[parameter] = group(**{field.name: arguments.pop(field.name) for field in fields(group)})

        async def run_in_session() -> None:
            async with target.open() as keisan:
                with explain_refusal():
                    await work(Session(keisan, output, target), **arguments)

        asyncio.run(run_in_session())
    except KeisanError as fault:
        return tell_fault(output, fault)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def _check_texts(arguments: Mapping[str, Any]) -> None:
    """Raise InvalidInput for what was typed and is no text: half characters could be neither sent nor shown."""
    for name, value in arguments.items():
        for text in value if isinstance(value, list) else [value]:
            try:
                if isinstance(text, str):
                    text.encode()
            except UnicodeEncodeError as fault:
                raise InvalidInput("expected text in UTF-8", name) from fault


def tell_fault(output: Output, fault: KeisanError) -> ExitCode:
    """Print a fault in words, as JSON where JSON was asked for, and return the code to end with."""
    code = choose_exit_code(fault)
    if output.is_json:
        told = {"code": fault.code, "message": fault.outside, "retryable": fault.is_retryable}
        output.show_json({"error": told})
    else:
        field = f" ({fault.field})" if isinstance(fault, InvalidInput) and fault.field else ""
        output.tell(f"keisan: {fault.outside}{field}")
    return code
