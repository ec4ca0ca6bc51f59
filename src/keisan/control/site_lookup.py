"""Sites as lines of a table name them: by id, or by a name that only one site within the asker's scope has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keisan.domain.access import Scope
from keisan.domain.ids import SiteId
from keisan.domain.site import Site
from keisan.storage.base import Transaction
from keisan.wire.csv_file import CsvFault

SITE_COLUMN = "site"


@dataclass(frozen=True, slots=True)
class SiteLookup:
    """All sites of a scope, by each text that may name them."""

    sites: Mapping[str, Sequence[Site]]

    def find(self, number: int, text: str) -> SiteId | CsvFault:
        """Return the site that line `number` names, or what is wrong with it."""
        found = self.sites.get(text, ())
        if len(found) == 1:
            return found[0].id
        if found:
            return CsvFault(number, SITE_COLUMN, f"expected an id, as several sites are called '{text}'")
        return CsvFault(number, SITE_COLUMN, f"expected a site that this key may write, got '{text}'")


async def open_lookup(transaction: Transaction, scope: Scope) -> SiteLookup:
    """Return the lookup of all sites in scope."""
    by_text: dict[str, list[Site]] = {}
    for site in await transaction.sites.list_all(scope):
        for text in (str(site.id), site.name):
            by_text.setdefault(text, []).append(site)
    return SiteLookup(by_text)
