from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from policies.catalogue.document import Catalogue
from policies.catalogue.mistakes import CatalogueError
from policies.catalogue.time_zones import is_time_zone, time_zones
from tests.factories import small_document


@pytest.mark.parametrize(
    "zone", ["localtime", "posixrules", "Factory", "right/Europe/Madrid", "posix/UTC", "", "../UTC", "Mars/Base"]
)
def test_a_zone_of_one_machine_is_no_time_zone(zone: str) -> None:
    assert not is_time_zone(zone)
    with pytest.raises(CatalogueError) as error:
        Catalogue.from_document(small_document(defaults={"time_zone": zone}))
    assert [mistake.path for mistake in error.value.mistakes] == ["defaults.time_zone"]


def test_every_zone_of_the_database_can_be_loaded() -> None:
    assert {"UTC", "Europe/Madrid", "Etc/GMT+12"} <= time_zones()
    assert all(ZoneInfo(zone).key == zone for zone in time_zones())


def test_a_zone_that_is_written_almost_right_is_named() -> None:
    with pytest.raises(CatalogueError, match="did you mean 'Europe/Madrid'"):
        Catalogue.from_document(small_document(defaults={"time_zone": "europe/madrid"}))
