"""Who comes in, and who does not: each lock of the dashboard is tried by somebody who should not open it."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from consumers.dashboard.door import Proxy, read_networks
from consumers.dashboard.people import TokenFile
from consumers.dashboard.sessions import COOKIE
from deploy.dashboard import ServeOptions, rules_of
from deploy.postgres import EmbeddedPostgres
from indexer.errors import ConfigurationError
from tests.consumers.dashboard.running import Dashboard, running
from tests.endtoend.processes import run
from tests.postgres import fresh_database

PAGE = {"Accept": "text/html"}


def is_refused(answer: httpx.Response, status: int, kind: str) -> bool:
    said = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert said["status"] == answer.status_code == status
    assert said["type"] == f"urn:cellwitness:problem:{kind}"
    assert len(said["detail"]) > 10
    return True


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "cellwitness.example"])
def test_no_other_address_is_served_while_nobody_can_show_who_he_is(tmp_path: Path, host: str) -> None:
    options = ServeOptions(host=host, port=0, token_file=tmp_path / "tokens.json")
    with pytest.raises(ConfigurationError, match="token new"):
        rules_of(options)
    TokenFile(options.token_file).add(name="A", role="viewer", profile="public", legal_basis="", days=None)
    assert rules_of(options).open is None


def test_the_command_refuses_such_an_address_as_usage(opened: Dashboard, tmp_path: Path) -> None:
    done = run(tmp_path, "serve", "--db", opened.database, "--address", "0.0.0.0:0", "--tokens", "none.json")
    assert done.returncode == 2
    assert "token new" in done.stderr


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "everybody"])
def test_a_proxy_that_is_everybody_is_not_trusted(network: str) -> None:
    with pytest.raises(ConfigurationError):
        read_networks([network])


def test_without_a_token_nothing_is_told(closed: Dashboard) -> None:
    for path in ("/api/v1/status", "/api/v1/alerts", "/api/v1/events", "/api/v1/openapi.json", "/system", "/nothing"):
        assert is_refused(closed.get(path), 401, "who-are-you")
    with closed.client(**PAGE) as client:
        sent = client.get("/system?as_of_slot=5")
        assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/system%3Fas_of_slot%3D5")


@pytest.mark.parametrize(
    "made",
    [
        lambda _: "",
        lambda token: token[:-1],
        lambda token: token + "x",
        lambda token: token[:15] + "_" + "A" * 43,
        lambda token: "cw_000000000000_" + token[16:],
        lambda token: f"{token} {token}",
        lambda _: "' OR 1=1 --",
    ],
)
def test_a_token_that_is_nearly_right_is_wrong(closed: Dashboard, made: Callable[[str], str]) -> None:
    token = closed.token("viewer")
    with closed.client(made(token) or "x") as client:
        assert client.get("/api/v1/status").status_code in (401, 429)


def test_a_token_is_kept_as_a_hash_that_only_its_owner_reads(closed: Dashboard) -> None:
    token = closed.token("viewer")
    kept = closed.tokens.path.read_text()
    assert token.rpartition("_")[2] not in kept
    assert stat.S_IMODE(closed.tokens.path.stat().st_mode) == 0o600


def test_revoking_holds_at_once_for_the_token_and_for_its_sessions(closed: Dashboard) -> None:
    token = closed.token("viewer")
    with closed.client(**PAGE) as browser, closed.client(token) as program:
        browser.post("/login", data={"token": token, "next": "/system"})
        assert browser.get("/system").status_code == 200
        assert program.get("/api/v1/status").status_code == 200
        assert closed.tokens.revoke(token[3:15])
        assert program.get("/api/v1/status").status_code == 401
        assert browser.get("/system").headers["location"].startswith("/login")


def test_a_token_ends_when_its_time_is_over(closed: Dashboard) -> None:
    with closed.client(closed.token("viewer", days=-1e-6)) as client:
        assert client.get("/api/v1/status").status_code == 401


def test_the_command_makes_lists_and_revokes(tmp_path: Path) -> None:
    where = ("--data-dir", str(tmp_path))
    made = json.loads(
        run(tmp_path, "token", "new", "--name", "A\x1b[31m", "--role", "auditor", "--json", *where).stdout
    )
    listed = run(tmp_path, "token", "ls", *where)
    assert made["id"] in listed.stdout
    assert "\x1b" not in listed.stdout
    assert made["token"].rpartition("_")[2] not in listed.stdout
    assert run(tmp_path, "token", "revoke", made["id"], *where).returncode == 0
    assert run(tmp_path, "token", "revoke", made["id"], *where).returncode == 1


def test_a_session_begins_anew_at_log_in_and_its_cookie_is_out_of_scripts_reach(closed: Dashboard) -> None:
    with closed.client(**PAGE) as browser:
        browser.cookies.set(COOKIE, "planted")
        answer = browser.post("/login", data={"token": closed.token("viewer")})
        cookie = answer.headers["set-cookie"]
        assert answer.status_code == 303
        assert "planted" not in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/\n/evil", ""]
)
def test_logging_in_leads_to_no_other_site(closed: Dashboard, target: str) -> None:
    with closed.client(**PAGE) as browser:
        answer = browser.post("/login", data={"token": closed.token("viewer"), "next": target})
        assert answer.headers["location"] == "/"


def test_logging_in_needs_a_legal_basis(closed: Dashboard) -> None:
    token, _ = closed.tokens.add(name="B", role="viewer", profile="public", legal_basis="", days=None)
    with closed.client(**PAGE) as browser:
        refused = browser.post("/login", data={"token": token})
        assert (refused.status_code, "legal basis" in refused.text) == (401, True)
        assert browser.post("/login", data={"token": token, "legal_basis": "Art. 77"}).status_code == 303


def test_a_proxys_word_counts_only_from_its_address(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    claims = {"X-Forwarded-User": "eve", "X-Forwarded-Role": "admin"}
    away = Proxy(networks=read_networks(["192.0.2.0/24"]), role_header="x-forwarded-role", profile="surveillance")
    running_so = running(fresh_database(postgres), tmp_path, blocks=2, proxy=away)
    with running_so as dashboard, dashboard.client(**claims) as client:
        assert is_refused(client.get("/api/v1/status"), 401, "who-are-you")


def test_a_proxy_says_who_and_in_which_role_once(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    here = Proxy(networks=read_networks(["127.0.0.1"]), role_header="x-forwarded-role", profile="surveillance")
    with running(fresh_database(postgres), tmp_path, blocks=2, proxy=here, https=True) as dashboard:
        with dashboard.client(**PAGE, **{"X-Forwarded-User": "ada", "X-Forwarded-Role": "guests, auditor"}) as ada:
            page = ada.get("/system")
            assert "ada, auditor" in page.text
            assert "Secure" in page.headers["set-cookie"]
            assert page.headers["strict-transport-security"]
            # The same browser after somebody else logged in at the proxy is not the one from before.
            cookie = page.headers["set-cookie"].partition(";")[0]
        with dashboard.client(**PAGE, **{"X-Forwarded-User": "bob", "Cookie": cookie}) as bob:
            assert "bob, viewer" in bob.get("/system").text
        twice = [("X-Forwarded-User", "ada"), ("X-Forwarded-User", "eve")]
        assert httpx.get(f"{dashboard.url}/api/v1/status", headers=twice).status_code == 401
        assert dashboard.get("/api/v1/status").status_code == 401
