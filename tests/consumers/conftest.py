from collections.abc import Iterator

import pytest

from deploy.postgres import EmbeddedPostgres
from tests.consumers.labelled import Labelled, labelled
from tests.postgres import database, postgres
from tests.projections.conftest import make_chain

__all__ = ["database", "frauds", "make_chain", "postgres"]


@pytest.fixture(scope="session")
def frauds(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labelled]:
    """Frauds that a weak contract let through, in tables with verdicts. Nobody changes them."""
    with labelled(postgres, tmp_path_factory.mktemp("frauds")) as made:
        yield made
