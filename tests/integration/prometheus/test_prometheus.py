"""Prometheus itself: it scrapes the API with the key, and evaluates the alert rules.

Debian's package (`apt-get install prometheus`) or the project's own binaries serve, else Debian's package unpacked for
these tests alone (`tests.debian`); without all of them this is skipped. The configuration is for Prometheus 2.55 or
newer, which sends the key itself; in front of an older one a server of these tests adds it.
"""

import re
import shutil
import subprocess
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
import yaml

from metrics.exposition import render
from tests.support.checkout import is_checkout
from tests.support.metrics_scene import whole_reading
from tests.support.prometheus import MONITORING, SENDS_HEADERS, queries_of, running

ROOT = MONITORING.parents[1]


def test_git_does_not_take_the_file_with_the_key():
    if not is_checkout():
        pytest.skip("this is no checkout of git")
    ignored = subprocess.run(["git", "check-ignore", "-q", MONITORING / "mlops-api-key"], cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_the_key_is_sent_as_the_api_expects_it_and_stands_in_no_file_of_the_repository():
    (scrape,) = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
    assert scrape["http_headers"] == {"x-api-key": {"files": ["mlops-api-key"]}}
    compose = yaml.safe_load((MONITORING / "compose.yaml").read_text())
    version = re.search(r"v(\d+)\.(\d+)", compose["services"]["prometheus"]["image"])
    assert version
    assert (int(version[1]), int(version[2])) >= SENDS_HEADERS
    (secret,) = compose["services"]["prometheus"]["secrets"]
    assert secret["target"] == "/etc/prometheus/mlops-api-key"
    assert compose["secrets"][secret["source"]] == {"environment": "MLOPS_API_KEY"}


@pytest.mark.parametrize(
    "arguments",
    [["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]],
)
def test_promtool_finds_nothing_wrong(programs, sends_headers, tmp_path, arguments):
    shutil.copytree(MONITORING, tmp_path / "monitoring", ignore=shutil.ignore_patterns("mlops-api-key"))
    config = tmp_path / "monitoring" / "prometheus.yml"
    if sends_headers:
        config.with_name("mlops-api-key").write_text("secret")
    else:
        known = yaml.safe_load(config.read_text())
        known["scrape_configs"][0].pop("http_headers")
        config.write_text(yaml.safe_dump(known))
    done = subprocess.run(
        [programs / "promtool", *arguments], cwd=config.parent, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_prometheus_scrapes_the_platform_and_evaluates_the_rules(programs, scraping, production_model, tmp_path):
    config = scraping(tmp_path)
    # The rules as they are, with a fast clock: what waits half an hour waits no time here.
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        rule.pop("for", None)
    rules["groups"][0]["rules"].append({"alert": "Served", "expr": "mlops_production_model == 1"})
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    with running(programs, tmp_path) as (asked, until):
        until(lambda: any(each["value"][1] == "1" for each in asked("query?query=up")["result"]))
        models = until(lambda: asked("query?query=mlops_production_model==1".replace("==", "%3D%3D"))["result"])
        assert "digit-classifier" in {each["metric"]["model"] for each in models}
        alerts = until(lambda: asked("alerts")["alerts"])
        assert "Served" in {each["labels"]["alertname"] for each in alerts}
        evaluated = asked("rules")["groups"][0]["rules"]
        assert {each["name"] for each in evaluated} >= {"MlopsDriftAlert", "MlopsNoProductionModel", "MlopsDeadLetters"}
        until(lambda: all(each["health"] == "ok" for each in asked("rules")["groups"][0]["rules"]))


class Growing(BaseHTTPRequestHandler):
    """/metrics of a platform in which every metric has a value, and counters grow from scrape to scrape."""

    scrapes = 0

    def do_GET(self):
        Growing.scrapes += 1
        reading = whole_reading(LINE)
        grown = {
            series: {k: n * Growing.scrapes for k, n in counts.items()} for series, counts in reading.totals.items()
        }
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(render(replace(reading, totals=grown)))

    def log_message(self, *arguments):
        pass


LINE = {
    "model_name": "digits",
    "cache": "hit",
    "latency_ms": 1.25,
    "n": 2,
    "predictions": [3, 4],
    "confidences": [0.5, 0.9],
    "signals_permille": None,
}


def test_every_query_of_every_panel_is_answered_with_data(programs, serve, tmp_path):
    port = serve(ThreadingHTTPServer(("127.0.0.1", 0), Growing))
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config.pop("rule_files", None)
    scrape = config["scrape_configs"][0]
    scrape.pop("http_headers")
    scrape["static_configs"][0]["targets"] = [f"127.0.0.1:{port}"]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    with running(programs, tmp_path) as (asked, until):
        until(lambda: any(each["value"][1] == "1" for each in asked("query?query=up")["result"]))
        until(lambda: Growing.scrapes >= 4)
        silent = []
        for title, query in queries_of("model") | queries_of("platform"):
            # One model predicts classes, the other one a quantity.
            asks = [query.replace("$__rate_interval", "1m").replace("$model", name) for name in ("digits", "regressor")]
            if not any(asked(f"query?query={quote(each)}")["result"] for each in asks):
                silent.append((title, query))
        assert silent == []
