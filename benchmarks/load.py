"""Requests to a running API from several clients at once, each with a connection of its own."""

import http.client
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Load:
    """What came of it: seconds of each request, statuses, and the whole time."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    took: float = 0.0

    def at(self, share: float) -> float:
        """The latency, in seconds, that `share` of the requests stayed below."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * share))]


def run(address: str, key: str, path: str, bodies: list[str], clients: int, requests: int) -> Load:
    """`requests` POSTs of `bodies`, in turn, by `clients` at once."""
    load, lock, parts = Load(), threading.Lock(), urlsplit(address)
    headers = {"content-type": "application/json", "x-api-key": key}

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        seconds, statuses = [], []
        for turn in range(number, requests, clients):
            began = time.perf_counter()
            connection.request("POST", parts.path.rstrip("/") + path, bodies[turn % len(bodies)], headers)
            response = connection.getresponse()
            response.read()
            seconds.append(time.perf_counter() - began)
            statuses.append(response.status)
        connection.close()
        with lock:
            load.seconds += seconds
            for status in statuses:
                load.statuses[status] = load.statuses.get(status, 0) + 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.took = time.perf_counter() - began
    return load
