"""Sites by what a line calls them: an id, or a name that only one site in scope has."""

from keisan.control.context import Control
from keisan.control.site_lookup import open_lookup
from keisan.domain.access import PlatformScope, ProviderScope
from keisan.wire.csv_file import CsvFault
from tests.factories import World


async def test_site_is_found_by_id_or_by_a_name_of_its_own(control: Control, world: World) -> None:
    left, right = world.left.site, world.right.site
    assert left.name == right.name
    async with control.storage.read() as view:
        everything = await open_lookup(view, PlatformScope())
        own = await open_lookup(view, ProviderScope(world.left.provider.id))
    assert everything.find(2, str(right.id)) == right.id
    assert everything.find(2, left.name) == CsvFault(
        2, "site", f"expected an id, as several sites are called '{left.name}'"
    )
    assert own.find(2, left.name) == left.id
    assert own.find(3, str(right.id)) == CsvFault(
        3, "site", f"expected a site that this key may write, got '{right.id}'"
    )
