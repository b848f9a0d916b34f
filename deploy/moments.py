"""Moments of knowledge as people write them."""

from datetime import UTC, datetime

import click


def moment_of(text: str) -> int | datetime:
    """A step of the log, or a time: UTC unless it says otherwise. Raises click's usage error."""
    if text.isdecimal() and len(text) < 19:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--known-at {text!r} is neither a step nor a time such as 2027-05-03T14:02") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
