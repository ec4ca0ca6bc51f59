"""`keisan facilities`: a table in, records out, and the same table out again."""

from pathlib import Path

from tests.cli.conftest import CommandLine


def choose_site(command_line: CommandLine) -> str:
    site = command_line.run("sites", "list", "--json").told[0]
    return str(site["name"])


def test_table_is_handed_in_shown_and_written_again(command_line: CommandLine, tmp_path: Path) -> None:
    site, file = choose_site(command_line), tmp_path / "table.csv"
    columns = (
        "site,measured_at,address,latitude_microdegrees,longitude_microdegrees,standard_racks,standard_racks_in_use,"
        "power_w,rated_power_w,pue_permille,green_power_permille,ports_400g,latency_hub_us,latency_node_us,storage_bytes"
    )
    file.write_text(
        f"{columns}\n{site},2026-01-02T03:00:00Z,street 1,1500000,-2500000,8,6,15000,20000,1250,480,4,18500,2000,1048576\n"
    )
    handed_in = command_line.run("facilities", "upload", str(file))
    assert (handed_in.code, handed_in.out) == (0, "1 created\n")
    assert command_line.run("facilities", "upload", str(file), "--json").told["unchanged_count"] == 1
    listed = command_line.run("facilities", "list", "--until", "2026-01-02").out
    assert all(word in listed for word in ("2026-01-02", site, "75%", "15000 W", "1.250", "48%", "1.0 MiB"))
    shown = command_line.run("facilities", "show", site)
    assert "standard racks  8 of 2.5 kW, 6 in use, 75% filled" in shown.out
    assert "place           1.500000, -2.500000" in shown.out
    assert "latency         hub 18.5 ms (ok), city unknown, node 2 ms (failed)" in shown.out
    assert "ports           4 x 400G" in shown.out
    assert "WUE             unknown l/kWh" in shown.out
    exported = command_line.run("facilities", "list", "--csv").out
    file.write_text(exported, newline="")
    assert command_line.run("facilities", "upload", str(file), "--json").told["unchanged_count"] == 1
    assert command_line.run("facilities", "list", "--region", "AQ-1", "--json").told == []


def test_every_bad_line_is_told(command_line: CommandLine, tmp_path: Path) -> None:
    site, file = choose_site(command_line), tmp_path / "table.csv"
    file.write_text(f"site,measured_at,pue_permille\n{site},2026-01-03T00:00:00Z,1.25\nnowhere,soon,\n")
    refused = command_line.run("facilities", "upload", str(file))
    assert refused.code == 2
    assert "line 2, pue_permille: expected a valid integer" in refused.aside
    assert "line 3, measured_at: expected a valid datetime" in refused.aside
    assert command_line.run("facilities", "upload", str(tmp_path / "none.csv")).code == 2
    key = command_line.developer_key
    assert command_line.run("facilities", "upload", str(file), key=key).code == 4


def test_empty_table_shows_its_columns(command_line: CommandLine) -> None:
    told = command_line.run("facilities", "list", "--region", "AQ-1", "--csv").out
    assert told.startswith("site,measured_at,address,latitude_microdegrees,")
