from typing import Final

import msgspec

NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, or not of the type: broken UTF-8 and deep nesting have errors of
their own."""


class CellwitnessError(Exception):
    """Something that ended the work. ``exit_code`` is what the process ends with."""

    exit_code = 4


class ConfigurationError(CellwitnessError):
    """What the user wrote in a file, a flag or the environment can't be used: the user mends it."""

    exit_code = 2


class Retryable(CellwitnessError):
    """The far side is unwell: wait, reconnect, go on from the last step."""

    exit_code = 3


class OperatorMustAct(CellwitnessError):
    """Trying again can't help; a person has to decide."""

    exit_code = 4


class InvalidChainData(OperatorMustAct):
    """Bytes that break the wire format's or the ledger's rules. The same bytes fail again."""
