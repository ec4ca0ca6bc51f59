"""Throughput comes back from JSON as it went in."""

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.figure import Precision
from keisan.storage.gflops import decode_gflops, encode_gflops


@given(gflops=st.dictionaries(st.sampled_from(Precision), st.integers(min_value=0, max_value=2**63 - 1)))
def test_throughput_comes_back(gflops: dict[Precision, int]) -> None:
    assert decode_gflops(encode_gflops(gflops)) == gflops
