"""The compose file and the image's: sound by the real tools, hardened, and every command one that the program takes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.postgres import EmbeddedPostgres
from projections.database import connect
from projections.migrate import migrate
from projections.roles import ROLES, make_roles
from tests.deploy.commandlines import is_here, require_taken
from tests.postgres import fresh_database, postgres
from tests.shared import ROOT

__all__ = ["postgres"]

BIN: Final = Path(sys.executable).parent
FOLDER: Final = ROOT / "deploy" / "compose"
ONCE: Final = {"migrate"}
"""Services that end by themselves."""
ONE_EXTRA: Final = '${EXTRA:+--extra "$EXTRA"}'
"""In the image's file: an extra where the builder asks for one, else nothing."""
BY_TAG: Final = {"node", "ogmios"}
"""Pinned by exact tag: no digest of them was to be had."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The compose file as Docker Compose itself reads it, with secrets made by its script."""
    place = tmp_path_factory.mktemp("deploy")
    for name in ("compose", "prometheus", "grafana"):
        shutil.copytree(ROOT / "deploy" / name, place / name)
    subprocess.run(["sh", "secrets.sh"], cwd=place / "compose", check=True, capture_output=True)
    (place / "compose" / "profile.toml").touch()
    arguments = ["-f", "compose.yml", "--profile", "alerting", "config", "--format", "json"]
    done = subprocess.run(
        [BIN / "docker-compose", *arguments], cwd=place / "compose", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_all_parts_are_there(config: dict[str, Any]) -> None:
    assert set(config["services"]) == {
        *("node", "ogmios", "kafka", "postgres"),
        *("migrate", "follower", "worker", "alerter", "serve"),
        *("prometheus", "alertmanager", "grafana"),
    }


def test_each_service_is_hardened(config: dict[str, Any]) -> None:
    for name, service in config["services"].items():
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "privileged" not in service, name
        assert not [each for each in service.get("volumes", ()) if "docker.sock" in each.get("source", "")], name
        if service["image"].startswith("cellwitness:"):
            assert service["user"] == "10001:10001", name
            assert "cap_add" not in service, name


def test_each_service_that_stays_is_watched_and_started_again(config: dict[str, Any]) -> None:
    for name, service in config["services"].items():
        assert ("healthcheck" in service, service["restart"]) == (
            (False, "no") if name in ONCE else (True, "unless-stopped")
        ), name


def test_nothing_listens_beyond_the_loopback(config: dict[str, Any]) -> None:
    published = [port for service in config["services"].values() for port in service.get("ports", ())]
    assert published
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert config["networks"]["inside"]["internal"] is True
    for name in ("kafka", "postgres", "ogmios", "worker", "follower", "migrate"):
        assert list(config["services"][name]["networks"]) == ["inside"], name


def test_each_image_is_pinned(config: dict[str, Any]) -> None:
    for name, service in config["services"].items():
        image = service["image"]
        if image.startswith("cellwitness:"):
            continue
        tag = image.partition("@")[0].rpartition(":")[2]
        assert re.search(r"\d+\.\d+", tag), image
        assert name in BY_TAG or re.search(r"@sha256:[0-9a-f]{64}$", image), image


def test_no_secret_stands_in_the_environment_or_on_a_command_line(config: dict[str, Any]) -> None:
    for name, service in config["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            assert "PASSWORD" not in variable or variable.endswith(("_FILE", "__FILE")), (name, variable)
            assert "secret" not in (value or "") or value.startswith("/run/secrets/"), (name, variable)
        for word in service.get("command") or ():
            assert not re.search(r"//[^/@]+:[^/@]+@", word), (name, word)


def test_each_command_is_one_that_the_program_takes(config: dict[str, Any]) -> None:
    ours = {name: each["command"] for name, each in config["services"].items() if each["image"].startswith("cellw")}
    assert set(ours) == {"migrate", "follower", "worker", "alerter", "serve"}
    for words in ours.values():
        if is_here(words):
            require_taken(words)


def test_what_prometheus_scrapes_is_what_the_services_serve(config: dict[str, Any]) -> None:
    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    scraped = set()
    for job in jobs:
        for each in job.get("static_configs", ()):
            scraped |= {tuple(target.split(":")) for target in each["targets"]}
        for each in job.get("dns_sd_configs", ()):
            scraped |= {(name, str(each["port"])) for name in each["names"]}
    served = {
        (name, service["command"][service["command"].index("--http") + 1].rpartition(":")[2])
        for name, service in config["services"].items()
        if "--http" in (service.get("command") or ())
    }
    assert served <= scraped
    assert scraped - served == {("127.0.0.1", "9090")}, "Prometheus itself"


def test_users_of_the_database_may_do_what_their_part_does_and_no_more(postgres: EmbeddedPostgres) -> None:
    script = (FOLDER / "postgres" / "10-users.sh").read_text()
    statements = script.partition("<<'SQL'\n")[2].partition("SQL\n")[0]
    url = fresh_database(postgres)
    with connect(url) as connection:
        # Roles are the whole server's: other tests may have made them.
        for role in ROLES:
            if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).rowcount:
                statements = statements.replace(f"CREATE ROLE {role} NOLOGIN;\n", "")
        statements = statements.replace("DATABASE cellwitness", f'DATABASE "{connection.info.dbname}"')
        connection.execute(re.sub(r":'(\w+)'", r"'\1'", statements).encode())
        try:
            migrate(connection)
            make_roles(connection)
            for user, table, may in (
                ("worker", "cellwitness.states", True),
                ("dashboard", "cellwitness.readings", True),
                ("dashboard", "cellwitness_people.questions", False),
                ("serve", "cellwitness.readings", False),  # it becomes one of its roles first
                ("alerter", "cellwitness_people.alert_acts", True),
                ("alerter", "cellwitness.states", False),
                ("auditor", "cellwitness.states", True),
            ):
                has = connection.execute("SELECT has_table_privilege(%s, %s, 'SELECT')", (user, table)).fetchone()
                assert has == (may,), (user, table)
            for user in ("worker", "dashboard", "auditor", "alerter", "serve"):
                has = connection.execute(
                    "SELECT has_database_privilege(%s, current_database(), 'CONNECT')", (user,)
                ).fetchone()
                assert has == (True,), f"{user} is not let in"
            for user in ("dashboard", "auditor", "alerter", "serve"):
                has = connection.execute(
                    "SELECT has_table_privilege(%s, 'cellwitness.readings', 'INSERT')", (user,)
                ).fetchone()
                assert has == (False,), user
            for role in ("reader", "alerter", "auditor"):
                has = connection.execute(
                    "SELECT pg_has_role('serve', %s, 'MEMBER')", (f"cellwitness_{role}",)
                ).fetchone()
                assert has == (True,), role
        finally:
            for user in ("worker", "auditor", "alerter", "dashboard", "serve"):
                connection.execute(f"DROP OWNED BY {user}".encode())
                connection.execute(f"DROP USER {user}".encode())


def test_the_dockerfile_keeps_the_linters_rules() -> None:
    file = ROOT / "deploy" / "container" / "Dockerfile"
    done = subprocess.run([BIN / "hadolint", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_is_pinned_runs_as_nobody_and_carries_its_parts_list() -> None:
    text = (ROOT / "deploy" / "container" / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert bases == ["${PYTHON}", "${PYTHON}"]
    assert re.search(r"^ARG PYTHON=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    *_, last = re.findall(r"^USER (\S+)", text, re.MULTILINE)
    assert last == "10001:10001"
    assert "--locked" in text
    assert re.search(r"^ARG EXTRA=$", text, re.MULTILINE), "by default none: GPL code comes with extras"
    assert "--extra" not in text.replace(ONE_EXTRA, "")
    for folder in re.findall(r"^COPY (\w+) \1$", text, re.MULTILINE):
        assert (ROOT / folder).is_dir()


def test_the_parts_list_of_the_image_names_what_the_default_install_holds_and_no_gpl(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "container" / "Dockerfile").read_text()
    found = re.search(r"&& uv (export .*) -o \S+$", text.replace(ONE_EXTRA, "").replace("\\\n", ""), re.MULTILINE)
    assert found is not None
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    subprocess.run([uv, *found[1].split(), "-o", tmp_path / "sbom.json"], cwd=ROOT, check=True)
    sbom = json.loads((tmp_path / "sbom.json").read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    names = {component["name"] for component in sbom["components"]}
    assert {"msgspec", "psycopg", "cbor2", "kafka-python"} <= names
    assert not names & {"ogmios", "pycardano", "hypothesis", "mypy"}
