"""A statement as one page of HTML that prints on A4: no scripts, nothing from outside, and every text escaped."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from keisan.domain.price import COUNT_NAMES, TokenClass
from keisan.domain.statement import HolderKind, StatementContent, name_period
from keisan.kit.units import format_nano

TEMPLATE = "statement.html"


def write_html(content: StatementContent, document_sha256: str | None) -> bytes:
    """Return the page's bytes, in UTF-8."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def show_money(amount_nano: int) -> str:
        return format_nano(amount_nano, content.holder.currency)

    page = environment.get_template(TEMPLATE).render(
        content=content,
        period=name_period(content.period),
        is_customer=content.holder.kind is HolderKind.CUSTOMER,
        classes=[
            token_class
            for token_class in TokenClass
            if any(line.sum.quantities.get(token_class) for line in content.lines)
        ],
        count_names=COUNT_NAMES,
        document_sha256=document_sha256,
        show_money=show_money,
    )
    return page.encode()
