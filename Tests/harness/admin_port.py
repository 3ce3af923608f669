"""A worker's admin port, asked as a kubelet and Prometheus ask it."""

import collections
import http.client
import json
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from harness.machine import scaled

PROBES = ("/startupz", "/readyz", "/livez")


class Answer(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]

    @property
    def lacking(self) -> set[str]:
        """What a probe names as wanting; empty where it says yes."""
        return {line.partition(":")[0] for line in self.text.splitlines()} if self.status == 503 else set()

    @property
    def json(self) -> dict:
        return json.loads(self.text)


class Sample(NamedTuple):
    name: str
    labels: tuple[tuple[str, str], ...]
    """Name and value of each, in the order of the names."""


class Scrape:
    """What /metrics told."""

    def __init__(self, text: str) -> None:
        self.types: dict[str, str] = {}
        """The type of each family, by its name in the contract."""
        self.samples: dict[str, dict[Sample, float]] = {}
        """What each family has to say; a histogram by the names of its series."""
        for family in text_string_to_metric_families(text):
            # The parser takes off what the names of counters end with.
            name = family.name + ("_total" if family.type == "counter" else "")
            self.types[name] = family.type
            self.samples[name] = {
                Sample(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in family.samples}

    @property
    def growing(self) -> dict[Sample, float]:
        """Everything that can only grow: counters, and what histograms count."""
        return {
            sample: value for name, samples in self.samples.items() if self.types[name] in ("counter", "histogram")
            for sample, value in samples.items()}

    def total(self, series: str, **labels: str) -> float:
        """The sum of all samples of a series with these labels."""
        return sum(self.by(series, **labels).values())

    def by(self, series: str, *names: str, **labels: str) -> collections.Counter:
        """The same for each combination of what the labels `names` say; one name stands for itself."""
        sums = collections.Counter()
        for samples in self.samples.values():
            for sample, value in samples.items():
                found = dict(sample.labels)
                if sample.name == series and labels.items() <= found.items():
                    key = tuple(found[name] for name in names)
                    sums[key[0] if len(key) == 1 else key] += value
        return sums


class AdminPort:
    """Raises `OSError` if nobody answers."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, method: str = "GET", timeout: float = 10) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=scaled(timeout))
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(), {
                name.lower(): value for name, value in response.getheaders()})
        except http.client.HTTPException as error:
            raise ConnectionError(f"no answer to {path}: {error!r}") from error
        finally:
            connection.close()

    def lacking(self, probe: str = "/readyz") -> set[str]:
        """What a probe names as wanting; empty where it says yes."""
        return self.ask(probe).lacking

    def says_yes(self, probe: str) -> bool:
        return self.ask(probe).status == 200

    def scrape(self) -> Scrape:
        return Scrape(self.ask("/metrics").text)
