"""Document, alerts and dashboard are held to what `/metrics` says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.stage import Stage, finished

from .documented import ROOT, fences, table
from .reading import Reading

pytestmark = pytest.mark.anyio

DASHBOARD = json.loads((ROOT / "deploy" / "grafana.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
_NAME = re.compile(r"\b(?:postback|process)_[a-z_]+")
_SELECTOR = re.compile(r"(postback_[a-z_]+)\{([^}]*)\}")


@pytest.fixture
async def said(stage: Stage) -> Reading:
    job = await stage.submit()
    await stage.calls_back(job["id"], finished())
    return Reading(await stage.client.get("/metrics"))


async def test_every_metric_is_documented_with_its_labels(said: Reading) -> None:
    documented = {
        name: (set(re.findall(r"`(\w+)`", labels)), says.startswith("histogram"))
        for name, (labels, says) in table("metric").items()
    }
    code = {
        family.name + ("_total" if family.type == "counter" else ""): (
            {label for sample in family.samples for label in sample.labels} - {"le"},
            family.type == "histogram",
        )
        for family in said.families
        if family.name.startswith("postback_")
    }
    assert documented == code


async def test_the_dashboard_asks_for_what_there_is(said: Reading) -> None:
    assert len(QUERIES) > 30
    assert {name for query in QUERIES for name in _NAME.findall(query)} - said.names == set()
    assert {name for name in said.names if name.startswith("postback_") and not _derived(name)} <= _base(QUERIES)
    for query in QUERIES:
        for name, labels in _SELECTOR.findall(query):
            asked = {label.split("=")[0].rstrip("~").strip() for label in labels.split(",")} - {"job"}
            assert asked <= said.labels(name), query


def _derived(name: str) -> bool:
    return name.endswith(("_bucket", "_sum", "_count"))


def _base(queries: list[str]) -> set[str]:
    return {name for query in queries for name in _NAME.findall(query)}


def test_the_dashboard_can_be_imported_anywhere() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource", "job"]
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


async def test_alerts_ask_for_what_there_is(said: Reading) -> None:
    scrape, rules = (yaml.safe_load(block) for block in fences("yaml"))
    (job,) = scrape["scrape_configs"]
    assert job["job_name"] == "postback"
    alerts: list[dict[str, Any]] = rules["groups"][0]["rules"]
    for alert in alerts:
        names = set(_NAME.findall(alert["expr"]))
        assert names, alert
        assert names <= said.names, alert
        for name, labels in _SELECTOR.findall(alert["expr"]):
            asked = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            assert any(of == name and asked.items() <= dict(kept).items() for of, kept in said.samples), alert
    assert [alert["alert"] for alert in alerts] == list(table("alert"))


async def test_no_label_names_what_there_are_many_of(said: Reading) -> None:
    labels = {label for name, kept in said.samples if name.startswith("postback_") for label, _ in kept}
    allowed = {"le", "verdict", "found_by", "result", "provider", "call", "work", "state"}
    assert labels == allowed
    assert len(said.samples) < 500


def test_the_dashboard_lies_where_the_document_says() -> None:
    assert (Path(ROOT) / "deploy" / "grafana.json").is_file()
