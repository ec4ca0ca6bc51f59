"""`keisan supernode templates`: a list, and a drawing of one with the evidence of each value."""

from tests.cli.conftest import CommandLine


def test_templates_are_listed(command_line: CommandLine) -> None:
    listed = command_line.run("supernode", "templates", key=command_line.developer_key)
    lines = {line.split()[0]: line for line in listed.out.splitlines() if line.strip()}
    assert "500 kW to 559 kW" in lines["cloudmatrix-384"]
    assert "336 switches in tier 1, 112 switches in tier 2" in lines["cloudmatrix-384"]
    assert "mesh of 8" in lines["node-8-mesh"]
    assert lines["metax-mesh-64"].split()[-1] == "unknown"
    assert len(command_line.run("supernode", "templates", "--json").told) == 6


def test_template_is_drawn(command_line: CommandLine) -> None:
    drawn = command_line.run("supernode", "templates", "cloudmatrix-384").out
    assert "gflops_fp16           289 PFLOPS  (B, 2026-11-25: https://arxiv.org/abs/2506.12708)" in drawn
    for part in (
        "tier 2: 112 switches = 1 groups of 384 devices x 7 planes x 16",
        "each switch of tier 1 to each switch of its group and plane, 28 GB/s a link",
        "tier 1: 336 switches = 48 groups of 8 devices x 7 planes x 1",
        "each device to each switch of its group, 56 GB/s a link",
        "o o o o o o o o ... 384",
        "latency_ns            1000 ns",
        "member_bytes_per_s    392 GB/s",
    ):
        assert part in drawn
    mesh = command_line.run("supernode", "templates", "node-8-mesh").out
    assert mesh.splitlines()[-1] == "  8 devices, linked each to each"
    unknown = command_line.run("supernode", "templates", "sugon-scalex640").out
    assert "how its devices are wired is not known" in unknown
    assert "pue_permille   1.04" in unknown
    assert command_line.run("supernode", "templates", "cloudmatrix-384", "--json").told["member_count"] == 384
    assert command_line.run("supernode", "templates", "nothing").code == 5
