"""Answers: nothing in a value is taken for markup, an id stays whole, JSON is one line."""

import io
import json

import pytest
from rich.console import Console

from keisan.cli.output import Output
from keisan.wire.price import PriceView
from tests.domain.samples import MODEL_ID, NOW, PLATFORM_ID, PRICE_ID

PRICE = PriceView.model_validate(
    {
        "id": PRICE_ID,
        "platform_id": PLATFORM_ID,
        "model_id": MODEL_ID,
        "version": 1,
        "currency": "CNY",
        "nano_per_million": {"input": "5"},
        "effective_from": NOW,
        "created_at": NOW,
    }
)


def test_values_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(is_json=False)
    output.show_text("[red]not red[/red] :smile:")
    output.show_table(("id", "name"), [("x", "[bold]not bold[/bold]")])
    shown = capsys.readouterr().out
    assert "[red]not red[/red] :smile:" in shown
    assert "[bold]not bold[/bold]" in shown


def test_id_is_never_folded(capsys: pytest.CaptureFixture[str]) -> None:
    Output(is_json=False).show_table(("id", "text"), [(str(MODEL_ID), "words " * 100)])
    assert str(MODEL_ID) in capsys.readouterr().out


@pytest.mark.parametrize("width", [30, 60, 100])
def test_narrow_screen_shows_every_column(width: int) -> None:
    screen = io.StringIO()
    output = Output(is_json=False, console=Console(file=screen, width=width, soft_wrap=True, emoji=False))
    columns = ("id", "name", "role", "limits", "policy", "state")
    output.show_table(columns, [(MODEL_ID, "first", "developer", "600 requests/min", "[none]", "in force")])
    shown = screen.getvalue()
    for word in (*columns, str(MODEL_ID), "first", "developer", "600", "[none]", "force"):
        assert word in shown


def test_lists_and_things_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(is_json=True)
    output.show_views([PRICE], ("id",), [])
    output.show_view(PRICE, "unused")
    listed, one = capsys.readouterr().out.splitlines()
    assert json.loads(listed) == [json.loads(one)]
    assert json.loads(one)["nano_per_million"] == {"input": "5"}


def test_what_goes_on_stays_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(is_json=False)
    output.tell("working")
    output.show_table(("id",), [])
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "working\nnothing here\n")
