"""Candidates and requests, one good pair and any number of random ones."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from keisan.domain.device import DeviceUse
from keisan.domain.ids import DeviceId, NodeId, SiteId
from keisan.domain.verdict import Verdict
from keisan.placement.candidate import Candidate, Request
from tests.domain.samples import PROVIDER_ID, SITE_ID, name_id

OTHER_SITE_ID = SiteId(name_id(6, 2))
REQUEST = Request("llama_cpp", 300, None)
MEMORY_BYTES = st.integers(min_value=0, max_value=2000)


def build_candidate(number: int = 1, **changes: Any) -> Candidate:
    candidate = Candidate(
        node_id=NodeId(name_id(7, number)),
        device_id=DeviceId(name_id(8, number)),
        site_id=SITE_ID,
        provider_id=PROVIDER_ID,
        chip="cpu-x86-64",
        engines=frozenset({"llama_cpp"}),
        memory_free_bytes=1000,
        replica_count=0,
        site_verdict=Verdict.OK,
        device_verdict=Verdict.OK,
        device_use=DeviceUse.OPEN,
    )
    return replace(candidate, **changes)


REQUESTS = st.builds(
    Request,
    engine=st.sampled_from(["llama_cpp", "vllm"]),
    memory_bytes=st.integers(min_value=0, max_value=800),
    site_id=st.sampled_from([None, SITE_ID, OTHER_SITE_ID]),
)
CANDIDATES = st.lists(
    st.builds(
        build_candidate,
        st.integers(min_value=1, max_value=12),
        site_id=st.sampled_from([SITE_ID, SITE_ID, OTHER_SITE_ID]),
        engines=st.frozensets(st.sampled_from(["llama_cpp", "vllm"])),
        memory_free_bytes=MEMORY_BYTES,
        replica_count=st.integers(min_value=0, max_value=3),
        site_verdict=st.sampled_from([Verdict.OK, *Verdict]),
        device_verdict=st.sampled_from([Verdict.OK, *Verdict]),
        device_use=st.sampled_from([DeviceUse.OPEN, DeviceUse.OPEN, *DeviceUse]),
        chip=st.sampled_from(["cpu-x86-64", "cpu-x86-64", "nvidia-h20"]),
    ),
    max_size=8,
    unique_by=lambda candidate: candidate.node_id,
)
