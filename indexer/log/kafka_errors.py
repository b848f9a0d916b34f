"""Kafka's errors as the log's, by who must act."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kafka import errors as kafka

from indexer.errors import CellwitnessError, ConfigurationError, OperatorMustAct
from indexer.log.port import Fenced, LogUnavailable

FENCED: Final = (kafka.ProducerFencedError, kafka.InvalidProducerEpochError)
NOT_ALLOWED: Final = (
    kafka.SaslAuthenticationFailedError,
    kafka.TopicAuthorizationFailedError,
    kafka.ClusterAuthorizationFailedError,
    kafka.GroupAuthorizationFailedError,
    kafka.TransactionalIdAuthorizationFailedError,
    kafka.UnsupportedSaslMechanismError,
)
TOO_LARGE: Final = (kafka.MessageSizeTooLargeError, kafka.RecordListTooLargeError)


class RecordTooLarge(OperatorMustAct):
    """A record does not fit through the topic's ``max.message.bytes``. Nothing was written."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Kafka's errors as ours. ``what`` names the log."""
    try:
        yield
    except kafka.KafkaError as error:
        raise meaning(error, what) from error
    except OSError as error:  # of the socket and of TLS: kafka-python lets some of them through
        raise LogUnavailable(f"{what}: {error}") from error


@contextmanager
def connecting(what: str) -> Iterator[None]:
    """As ``translated``, around what makes a client: it says of every refusal only that there was no answer in time."""
    try:
        with translated(what):
            yield
    except LogUnavailable as error:
        raise LogUnavailable(
            f"{error}. Either no broker is there, or they do not let us in: see security.protocol, sasl.* and ssl.* of "
            "[kafka], and the brokers' own log"
        ) from error


def meaning(error: BaseException, what: str) -> CellwitnessError:
    """What an error of the client means to an operator."""
    if isinstance(error, FENCED):
        return Fenced(f"{what}: another follower took the log over")
    if isinstance(error, NOT_ALLOWED):
        return ConfigurationError(
            f"{what}: the brokers do not let us in: {error}. See security.protocol and sasl.* of [kafka]"
        )
    if isinstance(error, kafka.KafkaConfigurationError):
        return ConfigurationError(f"{what}: {error}")
    if isinstance(error, TOO_LARGE):
        return RecordTooLarge(f"{what}: {error}. Raise max.message.bytes of the topic")
    return LogUnavailable(f"{what}: {error}")
