"""Building the site: every adapter of this release under its own name."""

from keisan.daemon.site import build_adapters


def test_adapters_stand_under_their_names() -> None:
    adapters = build_adapters()
    assert list(adapters.engines) == ["llama_cpp"]
    assert list(adapters.weights) == ["path", "package"]
    assert list(adapters.devices) == ["cpu"]
    assert adapters.executor.name == "local"
