"""A dashboard that runs over a chain's tables, as visitors of it see it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from consumers.dashboard.people import Role, TokenFile
from deploy.dashboard import ServeOptions, Server, parts_of, prepare_tables
from tests.projections.chain import TestChain
from tests.projections.judged_chain import DevnetLife, judging
from tests.projections.tables import project

PATIENCE_SECONDS = 30.0


class Dashboard:
    """A server in a thread, its tables, and the chain that they come from."""

    def __init__(self, url: str, database: str, chain: TestChain, tokens: TokenFile) -> None:
        self.url = url
        self.database = database
        self.chain = chain
        self.tokens = tokens

    def project(self) -> None:
        project(self.chain.log, self.database, judging=judging())

    def token(self, role: Role, *, profile: str = "surveillance", days: float | None = None) -> str:
        made = self.tokens.add(name=f"the {role}", role=role, profile=profile, legal_basis="a test", days=days)
        return made[0]

    @contextmanager
    def client(self, token: str = "", **headers: str) -> Iterator[httpx.Client]:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        with httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_SECONDS) as client:
            yield client

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        with self.client() as client:
            return client.get(path, params=parameters or None)  # an empty dict would take the query of the path away


@contextmanager
def running(
    database: str,
    folder: Path,
    *,
    blocks: int = 30,
    fork: Callable[[], Any] | None = None,
    tokens: Callable[[TokenFile], Any] = lambda _: None,
    **options: Any,
) -> Iterator[Dashboard]:
    """Makes a chain, projects it, and serves it. ``tokens`` may make some before the server begins."""
    with ExitStack() as life:
        chain = TestChain(folder / "log.db", DevnetLife(2))
        life.callback(chain.close)
        chain.forward(chain.make(blocks))
        project(chain.log, database, judging=judging())
        prepare_tables(database)
        file = TokenFile(folder / "tokens.json")
        tokens(file)
        url = life.enter_context(serving(database, file, fork, **options))
        yield Dashboard(url, database, chain, file)


@contextmanager
def serving(database: str, tokens: TokenFile, fork: Callable[[], Any] | None = None, **options: Any) -> Iterator[str]:
    """A dashboard's address, over tables that are there."""
    chosen = ServeOptions(host="127.0.0.1", port=0, token_file=tokens.path, **options)
    with parts_of(lambda: database, chosen, fork) as parts:
        server = Server(parts, chosen)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()
