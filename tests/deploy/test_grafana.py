"""Every panel of every dashboard shows data: on a real Prometheus that scrapes real processes, and on real tables."""

import json
import math
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml
from psycopg import sql

from deploy.devnet.deployment import Terms, profile_toml
from deploy.grafana.__main__ import DASHBOARDS, FOLDER, text_of
from deploy.grafana.panels import COLUMNS
from indexer.protocol.profile import load_profile
from projections.database import connect
from projections.fleet import run_fleet
from projections.judging import Judging
from projections.migrate import migrate
from projections.roles import make_roles
from tests.debian import program
from tests.deploy.metrics import measured, of_what_is_not_here
from tests.endtoend.conftest import folder
from tests.endtoend.drill import cheating_chain
from tests.endtoend.pipeline import Pipeline, pipeline
from tests.endtoend.processes import run, wait_until
from tests.kafka import free_ports
from tests.shared import ROOT

__all__ = ["folder"]

PROVISIONED = ROOT / "deploy" / "grafana" / "provisioning"
MADE: list[dict[str, Any]] = [json.loads(text_of(each)) for each in DASHBOARDS]
PANELS = [(board, panel) for board in MADE for panel in board["panels"]]
PROMQL = [
    (board["uid"], panel["title"], target["expr"])
    for board, panel in PANELS
    for target in panel["targets"]
    if "expr" in target
]
SQL = [(panel["title"], target["rawSql"]) for _, panel in PANELS for target in panel["targets"] if "rawSql" in target]
PATIENCE_SECONDS: Final = 120.0


def test_the_files_are_those_that_the_code_writes() -> None:
    written = {file.stem: file.read_text() for file in FOLDER.glob("*.json")}
    assert written == {each.uid: text_of(each) for each in DASHBOARDS}, "write them anew: make dashboards"


def test_panels_fill_a_grid_and_none_lies_on_another() -> None:
    for board in MADE:
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= COLUMNS
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            assert not cells & taken, panel["title"]
            taken |= cells


def test_each_panel_says_what_it_is_about_and_asks_something() -> None:
    for _, panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert panel["targets"]


def test_each_source_of_data_is_provisioned() -> None:
    sources = yaml.safe_load((PROVISIONED / "datasources" / "cellwitness.yml").read_text())["datasources"]
    known = {(source["type"], source["uid"]) for source in sources}
    assert {(panel["datasource"]["type"], panel["datasource"]["uid"]) for _, panel in PANELS} == known


@pytest.mark.parametrize(("board", "title", "expression"), PROMQL)
def test_each_question_to_prometheus_is_sound_and_about_what_is_measured(
    board: str, title: str, expression: str
) -> None:
    assert promql_parser.parse(expression) is not None
    asked = set(re.findall(r"\bcellwitness_[a-z_]+", expression))
    assert {name for name in asked - measured() if not of_what_is_not_here(name)} == set(), (board, title)


@contextmanager
def prometheus(folder: Path, targets: dict[str, int]) -> Iterator[str]:
    """A real one that scrapes these jobs each half second. Gives its address."""
    jobs = [{"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{at}"]}]} for job, at in targets.items()]
    config = {"global": {"scrape_interval": "500ms"}, "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    arguments = [f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "prometheus.log").open("wb") as out:
        process = subprocess.Popen(
            [program("prometheus", "prometheus"), f"--config.file={folder / 'prometheus.yml'}", *arguments],
            stdout=out,
            stderr=out,
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def answers(address: str, expression: str) -> bool:
    """Whether an instant query finds a number."""
    query = urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(f"{address}/api/v1/query?{query}", timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
    except OSError:
        return False
    return any(not math.isnan(float(each["value"][1])) for each in found)


@pytest.mark.long
def test_each_panel_of_the_machinery_shows_data(folder: Path) -> None:
    ports = free_ports(2)
    with pipeline(folder, cheating_chain()) as place:
        follower = place.follower("--http", f"127.0.0.1:{ports[0]}")
        worker = place.worker("--profile", str(place.profile), "--http", f"127.0.0.1:{ports[1]}")
        place.wait_for_tables()
        with prometheus(folder, {"cellwitness-follower": ports[0], "cellwitness-worker": ports[1]}) as address:
            wait_until(lambda: answers(address, "cellwitness_follower_step"), "the first scrape", PATIENCE_SECONDS)
            place.chain.fork(2)
            place.chain.grow(5)
            place.wait_for_tables()
            for board, title, expression in PROMQL:
                if board == "cellwitness-alerter":
                    continue
                wait_until(lambda e=expression: answers(address, e), title, PATIENCE_SECONDS)  # type: ignore[misc]
        follower.must_live()
        worker.must_live()


def expanded(query: str) -> str:
    """As Grafana puts it to PostgreSQL."""
    query = query.replace("${deployment:sqlstring}", "'demo','it''s another'")
    low, high = "2000-01-01T00:00:00Z", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN '{low}' AND '{high}'", query)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A fleet with frauds in it, judged, and a worker at work."""
    place = tmp_path_factory.mktemp("fleet")
    for each in (place, *list(place.parents)[:2]):
        each.chmod(0o711)
    with pipeline(place, cheating_chain()) as made:
        done = run(made.folder, *made.follow_command("--until-tip"))
        assert done.returncode == 0, done.stderr
        worker = made.worker("--profile", str(made.profile))
        made.wait_for_tables()
        profile = load_profile(profile_toml(made.chain.network, Terms()), "devnet.toml")
        with made.server.use() as url, connect(url) as connection:
            migrate(connection)
            make_roles(connection)
            run_fleet(connection, Judging({profile.name: profile}))
            yield made
        worker.must_live()


@pytest.mark.long
@pytest.mark.parametrize(("title", "query"), SQL, ids=[title for title, _ in SQL])
def test_each_panel_of_the_fleet_shows_data_to_the_reader(tables: Pipeline, title: str, query: str) -> None:
    with closing(connect(tables.server.url, read_only=True)) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier("cellwitness_reader")))
        cursor = connection.execute(expanded(query).encode())
        rows = cursor.fetchall()
        assert rows, title
        assert any(value for row in rows for value in row), title
        if "time" in (names := [column.name for column in cursor.description or ()]):
            assert all(isinstance(row[names.index("time")], datetime) for row in rows)


@pytest.mark.long
def test_the_choice_of_deployments_is_a_question_that_the_reader_may_ask(tables: Pipeline) -> None:
    (choice,) = {each["query"] for board in MADE for each in board["templating"]["list"]}
    with closing(connect(tables.server.url, read_only=True)) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier("cellwitness_reader")))
        assert connection.execute(choice.encode()).fetchall() == [("demo",)]
