"""A collector that is real enough: it takes OTLP over HTTP on a port of its own and decodes what comes."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

# How long it keeps silent at most.
ANSWER_S = 20.0
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class OtlpReceiver:
    """`status` is what it answers; while `gate` is not set it does not answer at all."""

    port: int = 0
    status: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    paths: list[str] = field(default_factory=list)
    requests: list[ExportMetricsServiceRequest] = field(default_factory=list)

    def list_series(self) -> Series:
        """Return the values of the newest request by name and attributes."""
        found: Series = {}
        for metric in self.requests[-1].resource_metrics[0].scope_metrics[0].metrics:
            kind = metric.WhichOneof("data")
            assert kind in {"gauge", "sum"}, kind
            for point in getattr(metric, kind).data_points:
                attributes = frozenset((each.key, each.value.string_value) for each in point.attributes)
                value = getattr(point, point.WhichOneof("value"))
                assert (metric.name, attributes) not in found
                found[metric.name, attributes] = value
        return found


@contextmanager
def run_receiver(port: int = 0) -> Iterator[OtlpReceiver]:
    """Answer until the block ends."""
    receiver = OtlpReceiver()
    receiver.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.paths.append(self.path)
            receiver.gate.wait(ANSWER_S)
            if receiver.status == 200:
                assert self.headers["content-type"] == "application/x-protobuf"
                assert self.headers["content-encoding"] == "gzip"
                receiver.requests.append(ExportMetricsServiceRequest.FromString(gzip.decompress(body)))
            answer = ExportMetricsServiceResponse().SerializeToString()
            self.send_response(receiver.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.gate.set()
            server.shutdown()
            thread.join()
