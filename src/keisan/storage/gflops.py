"""Throughput by precision as JSON."""

from collections.abc import Mapping

from keisan.domain.figure import Precision


def encode_gflops(gflops: Mapping[Precision, int]) -> dict[str, int]:
    """Return throughput as JSON knows it."""
    return {str(precision): amount for precision, amount in gflops.items()}


def decode_gflops(stored: Mapping[str, int]) -> dict[Precision, int]:
    """Return what encode_gflops was given."""
    return {Precision(name): amount for name, amount in stored.items()}
