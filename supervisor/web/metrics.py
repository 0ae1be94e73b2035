"""Numbers for Prometheus, read from the snapshots whenever they are asked for. Imported on need."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from supervisor.domain.agent import OVER
from supervisor.domain.review import ReviewKind
from supervisor.web.house import Gate, House


def exposition(gate: Gate) -> bytes:
    """All numbers in the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Numbers(gate))
    return generate_latest(registry)


class _Numbers(Collector):
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "operator_http_requests", "Requests answered.", labels=("method", "route", "status")
        )
        for (method, route, status), count in sorted(self._gate.requests.items()):
            requests.add_metric((method, route, str(status)), count)
        yield requests
        yield GaugeMetricFamily("operator_stream_subscribers", "Streams open now.", value=self._gate.subscribers)
        yield GaugeMetricFamily("operator_ready", "Whether agents are adopted.", value=int(self._gate.is_open))
        if self._gate.is_open:
            yield from _house(self._gate.house)


def _house(house: House) -> Iterator[Metric]:
    yield _by("operator_tickets", "Tickets by stored status.", "status", _tickets(house))
    yield _by("operator_agents", "Agents that are not over, by activity.", "state", _agents(house))
    yield _by("operator_reviews_pending", "Reviews that wait for a verdict, by kind.", "kind", _reviews(house))
    yield GaugeMetricFamily("operator_slots", "Agents that may run at once.", value=house.status().max_agents)
    yield CounterMetricFamily("operator_activity_entries", "Entries recorded.", value=house.activity.head)


def _tickets(house: House) -> Counter[str]:
    return Counter(each.status_name for each in house.queue.tickets.values())


def _agents(house: House) -> Counter[str]:
    live = (each.id for each in house.fleet.agents.values() if not isinstance(each.phase, OVER))
    found = (house.fleet.activities.get(each) for each in live)
    return Counter("starting" if each is None else type(each.state).__name__.lower() for each in found)


def _reviews(house: House) -> Mapping[str, int]:
    pending = Counter(str(each.kind) for each in house.review.open.values() if each.pending)
    return {str(kind): pending[str(kind)] for kind in ReviewKind}


def _by(name: str, help_text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=(label,))
    entries: Iterable[tuple[str, int]] = sorted(counts.items())
    for value, count in entries:
        family.add_metric((value,), count)
    return family
