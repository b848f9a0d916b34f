"""The loop that keeps a log in step with a chain: chooses a node, holds a session with it, and begins again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from indexer import metrics
from indexer.chain import ORIGIN, PointOrOrigin
from indexer.errors import ConfigurationError, Retryable
from indexer.follow import NodeBehind
from indexer.log.audit import audit_tail
from indexer.log.port import Fenced, Log, LogBusy, LogMismatch, LogUnavailable, StoredSpine, Writer
from indexer.log.records import DEFAULT_PARTITIONS, Forward, Opened
from indexer.log.repair import Mender, mend_tail
from indexer.log.steps import PlacedEvent, opened_step
from indexer.nodes import NodeState
from indexer.ogmios.connection import redacted
from indexer.ogmios.endpoints import Expected, Survey, judge, nobody_left, states, survey
from indexer.ogmios.messages import InvalidFrame
from indexer.ogmios.node import NodeFacts
from indexer.outside import OgmiosNodes, Outside
from indexer.protocol.profile import Profile, check_profiles, profile_digest
from indexer.refetch import refetch
from indexer.session import NodeStalled, Progress, Session

AUDITED_STEPS: Final = 500
"""Checked at each session's start, in well under a second. `cellwitness log verify` checks all of them."""

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 30.0
STANDBY_SECONDS: Final = 2.0  # between two looks at the lease

log = structlog.get_logger(component="follower")


class FollowOptions(Struct, frozen=True, kw_only=True):
    """How to follow. Endpoints in order of preference."""

    endpoints: tuple[str, ...]
    until_tip: bool = False
    in_flight: int = 100  # more than 100 requests on their way gain nothing
    since: PointOrOrigin = ORIGIN  # where a new log begins
    partitions: int = DEFAULT_PARTITIONS  # of a new log, for life
    silence_seconds: float = 120.0  # Ogmios pings every 30 s
    standby: bool = False  # wait for the lease, and again after another follower took over
    stall_seconds: float = 300.0  # without a block, before another endpoint is asked
    audited_steps: int = AUDITED_STEPS


def run_follower(  # noqa: PLR0913  # the clock and the screen are the caller's
    the_log: Log,
    profiles: tuple[Profile, ...],
    options: FollowOptions,
    *,
    stop: Callable[[], bool],
    pause: Callable[[float], None],
    on_progress: Callable[[Progress], None],
    on_nodes: Callable[[tuple[NodeState, ...]], None] = lambda _: None,
    outside: Outside | None = None,
) -> None:
    """Follows until ``stop`` says so, or until the tip. ``pause`` sleeps, and returns early when stopped.

    What another try may mend is tried again for ever, with growing pauses; with ``until_tip`` a few times.
    ``on_nodes`` is told of the endpoints at each choice among them, and at each session's end.
    Raises LogBusy and Fenced, unless it stands by, and every OperatorMustAct.
    """
    check_profiles(profiles)
    if not options.endpoints:
        raise ConfigurationError("no endpoint is given: name at least one with --ogmios ws://HOST:PORT")
    outside = outside or OgmiosNodes()
    follower = _Follower(the_log, profiles, options, on_progress, on_nodes, outside)
    said = ""
    while not stop():
        try:
            with the_log.lease():
                _follow(follower, options, stop, pause, outside.jitter)
                return
        except (LogBusy, Fenced, LogUnavailable) as error:
            if not options.standby:
                raise
            if str(error) != said:
                said = str(error)
                log.info("standing_by", reason=said)
            pause(STANDBY_SECONDS * outside.jitter())


def _follow(
    follower: "_Follower",
    options: FollowOptions,
    stop: Callable[[], bool],
    pause: Callable[[float], None],
    jitter: Callable[[], float],
) -> None:
    """Session after session, as the one who holds the lease."""
    failures = 0
    while not stop():
        written = follower.counts["blocks"]
        try:
            follower.session(stop)
        except (Fenced, LogBusy):
            raise
        except NodeBehind as error:
            # Nothing more is to be had of a node that is behind us.
            log.warning("node_behind", reason=str(error))
            if options.until_tip and len(follower.urls_left()) <= 1:
                return
            follower.skip(str(error))
        except NodeStalled as error:
            log.warning("node_stalled", reason=str(error))
            follower.skip(str(error))
        except InvalidFrame as error:
            log.error("node_set_aside", reason=str(error))
            follower.set_aside(str(error))
            continue
        except Retryable as error:
            if isinstance(error, LogUnavailable):
                metrics.INDETERMINATE.inc()
            else:
                follower.failed(str(error))
            log.warning("session_ended", reason=str(error))
            if options.until_tip and failures >= 5:
                raise
        else:
            return
        metrics.RECONNECTS.inc()
        failures = 0 if follower.counts["blocks"] > written else failures + 1
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**failures)
        pause(longest * jitter())


class _Follower:
    """What lasts from one session to the next."""

    def __init__(  # noqa: PLR0913, PLR0917  # what the caller gave, once more
        self,
        the_log: Log,
        profiles: tuple[Profile, ...],
        options: FollowOptions,
        on_progress: Callable[[Progress], None],
        on_nodes: Callable[[tuple[NodeState, ...]], None],
        outside: Outside,
    ) -> None:
        self._log, self._profiles, self._options = the_log, profiles, options
        self._on_progress, self._on_nodes = on_progress, on_nodes
        self._outside = outside
        self._set_aside: dict[str, str] = {}
        self._skipped: dict[str, str] = {}
        self._url = ""  # that is followed; empty between two sessions
        self._found = Survey({}, {}, {})
        self._faults: dict[str, tuple[int, str]] = {}  # how often, and the last one
        self.counts = {"blocks": 0, "events": 0, "rollbacks": 0}

    def urls_left(self) -> list[str]:
        return [u for u in self._options.endpoints if u not in self._set_aside and u not in self._skipped]

    def skip(self, why: str) -> None:
        """Tries the other endpoints before this one again."""
        self._skipped[self._url] = why
        self.failed(why)
        if not self.urls_left():
            self._skipped.clear()

    def set_aside(self, why: str) -> None:
        """Never asks this endpoint again while we run."""
        self._set_aside[self._url] = f"{redacted(self._url)}: {why}"
        self.failed(why)

    def failed(self, why: str) -> None:
        """The session with a node is over, or none was to be had."""
        if self._url:
            count, _ = self._faults.get(self._url, (0, ""))
            self._faults[self._url] = (count + 1, why)
            self._url = ""
        self._tell()

    def _tell(self) -> None:
        aside = self._skipped | self._set_aside
        self._on_nodes(states(self._options.endpoints, self._found, aside, self._url, self._faults))

    def session(self, stop: Callable[[], bool]) -> None:
        """One session, from fencing to its end."""
        self._url = ""
        writer = self._log.writer()
        try:
            opened = self._log.opened() if writer.end is not None else None
            url, facts = self._choose(opened)
            self._url = url
            self._tell()
            if opened is None:
                self._begin(writer, facts)
            else:
                self._check_opened(opened)
                if isinstance(writer, Mender):
                    self._mend(writer, opened, facts)
                audit_tail(self._log, self._options.audited_steps)
            log.info("session_began", endpoint=redacted(self._url), version=facts.version, network=facts.network)
            session = Session(
                log=self._log,
                writer=writer,
                profiles=self._profiles,
                outside=self._outside,
                url=self._url,
                facts=facts,
                in_flight=self._options.in_flight,
                silence_seconds=self._options.silence_seconds,
                stall_seconds=self._options.stall_seconds if len(self.urls_left()) > 1 else None,
                on_progress=self._on_progress,
                counts=self.counts,
            )
            session.run(until_tip=self._options.until_tip, stop=stop)
        finally:
            writer.close()

    def _mend(self, writer: Mender, opened: Opened, facts: NodeFacts) -> None:
        def from_chain(before: StoredSpine, step: Forward) -> Sequence[PlacedEvent]:
            return refetch((self._outside, self._url), facts.eras, self._profiles, opened.network_magic, (before, step))

        for each in mend_tail(self._log, writer, from_chain, AUDITED_STEPS):
            log.warning(
                "step_mended", step=each.step, partition=each.partition, first_seq=each.first_seq, records=each.count
            )

    def _choose(self, opened: Opened | None) -> tuple[str, NodeFacts]:
        expected = Expected(
            network_magic=opened.network_magic
            if opened
            else self._profiles[0].network_magic
            if self._profiles
            else None,
            security_parameter=opened.security_parameter if opened else None,
        )
        found, order = judge(survey(self.urls_left(), self._set_aside, self._outside.inspect), expected)
        self._found = found
        for url, why in (*found.unwell.items(), *found.refused.items()):
            log.warning("endpoint_refused", endpoint=redacted(url), reason=why)
        if not order:
            # Those left out for a while can be asked again: what was refused for good is not all there is.
            found = replace(found, unwell={**found.unwell, **self._skipped})
            self._skipped.clear()
            raise nobody_left(found)
        return order[0], found.facts[order[0]]

    def _begin(self, writer: Writer, facts: NodeFacts) -> None:
        writer.append(
            opened_step(
                network=facts.network,
                network_magic=facts.genesis.network_magic,
                security_parameter=facts.genesis.security_parameter,
                deployments=deployments(self._profiles),
                since=self._options.since,
                partitions=self._options.partitions,
            )
        )

    def _check_opened(self, opened: Opened) -> None:
        since = self._options.since
        if since not in (ORIGIN, opened.since):
            raise LogMismatch(f"the log begins after {opened.since}, not after {since}: only a new log can begin there")
        ours = deployments(self._profiles)
        if ours != opened.deployments:
            differing = sorted(
                name
                for name in ours.keys() | opened.deployments.keys()
                if ours.get(name) != opened.deployments.get(name)
            )
            raise LogMismatch(
                f"the log was begun with the deployments {sorted(opened.deployments)}; these profiles differ in "
                f"{differing}. A log is of one set of deployments for life: give the same profiles, or begin a new log"
            )


def deployments(profiles: tuple[Profile, ...]) -> Mapping[str, str]:
    """Deployment names with the digests of their profiles, as step 0 records them."""
    return {profile.name: profile_digest(profile) for profile in profiles}
