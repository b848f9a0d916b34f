from tests.postgres import database, postgres
from tests.projections.conftest import make_chain

__all__ = ["database", "make_chain", "postgres"]
