"""The log that a command is to work on, opened with the settings that the process was started with."""

import click

from deploy.settings import from_process
from indexer.log.port import Log
from indexer.log.urls import open_log


def log_of(url: str) -> Log:
    """As ``open_log``. What Kafka's clients need beside the URL, passwords above all, is in settings and no flag."""
    context = click.get_current_context(silent=True)
    found = context.find_root().obj if context else None
    settings = found[0] if isinstance(found, tuple) else from_process(None)[0]
    return open_log(url, settings.kafka)
