"""An alert's life over a fork, with kill -9 of the alerter between each pair of its steps, as two receivers saw it.

``python -m tests.endtoend.alert_life`` writes what came into docs/alerting.md.
"""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

from consumers.alerts import Alert, Selection, list_alerts
from deploy.devnet.chain import Chain
from deploy.devnet.deployment import Terms, profile_toml
from deploy.devnet.maker import Maker, Plan
from deploy.devnet.network import Network
from projections.database import connect
from tests.alertmanager import Alertmanager, alertmanager
from tests.consumers.alerting.alerter_process import PLACES
from tests.consumers.alerting.receivers import Receiver, receiver
from tests.endtoend.alerting import dies, firing, repeats_are_the_same, wait_for, write_routes
from tests.endtoend.pipeline import READING_SLOTS, K, Pipeline, pipeline
from tests.endtoend.processes import wait_until
from tests.shared import ROOT

PAGE: Final = ROOT / "docs" / "alerting.md"
BEGIN: Final = "<!-- life: written by `python -m tests.endtoend.alert_life` -->\n```\n"
END: Final = "```\n<!-- end of life -->"
AT_PLACE: Final = {
    "before plan": "before the outbox is written",
    "in plan": "while the outbox is written",
    "after plan": "after the outbox was written",
    "before send": "before a message is sent",
    "after send": "after a receiver took it, before that is noted",
    "after mark": "after that was noted",
}


def frauds() -> Chain:
    """A devnet on which somebody always tries something."""
    plan = Plan(seed=3, batteries=6, reading_interval_slots=READING_SLOTS, fraud_share=0.4, weak_contract=True)
    chain = Chain(Network(k=K), seed=3, ledger=Maker(plan))
    chain.grow(200)
    return chain


def alerts(run: Pipeline) -> list[Alert]:
    with connect(run.server.url, read_only=True) as connection:
        return list_alerts(connection, Selection(limit=None))[1]


def standing(run: Pipeline) -> set[str]:
    return {each.alert for each in alerts(run)}


def raised_in_the_newest_blocks(run: Pipeline, depth: int) -> set[str]:
    end = run.end()
    assert end is not None
    return {each.alert for each in alerts(run) if each.first_height > end.spine.height - depth}


class Life:
    """What is done to the alerter, and what came of it at both receivers."""

    def __init__(self, run: Pipeline, hook: Receiver, manager: Alertmanager) -> None:
        self.run, self.hook, self.manager = run, hook, manager
        self.lines: list[str] = []
        routes = write_routes(run.folder, hook, manager)
        self.command = ("alert", "--routes", str(routes), "--data-dir", str(run.data_dir), "--poll-seconds", "0.1")

    def play(self) -> set[str]:
        """Raised, told, taken back by a fork. Returns the alerts that were taken back."""
        self._tell_what_stands()
        while not raised_in_the_newest_blocks(self.run, 4):
            self.run.chain.grow(1)
            self.run.wait_for_tables()
        raised = raised_in_the_newest_blocks(self.run, 4)
        one = next(each for each in alerts(self.run) if each.alert in raised)
        self.lines.append(f"# {one.rule} stands in the newest blocks: alert {one.alert[:12]}")
        self._killed_everywhere()
        self._show(one.alert)
        self.run.chain.fork(5, drop_share=1.0)
        self.run.wait_for_tables()
        self.lines.append("# five blocks leave the chain, and the reading with them")
        self._killed_everywhere()
        self._show(one.alert)
        return raised - standing(self.run)

    def messages(self, alert: str) -> list[dict[str, Any]]:
        return [
            message
            for request in list(self.hook.requests)
            for message in request.verified()["messages"]
            if message["alert"] == alert
        ]

    def _killed_everywhere(self) -> None:
        for place in PLACES:
            dies(self.run.folder, place, 1, *self.command)
            self.lines.append(f"$ cellwitness alert --routes alerting.toml    # kill -9 {AT_PLACE[place]}")
        self._tell_what_stands()
        self.lines.append("$ cellwitness alert --routes alerting.toml    # lives")

    def _tell_what_stands(self) -> None:
        alerter = self.run.start(*self.command)
        wait_until(lambda: "alerter_started" in alerter.errors, "the alerter to start")
        wait_for(self.hook, self.manager, standing(self.run))
        wait_until(self._all_sent, "the outbox to be empty")
        assert alerter.terminate() == 0

    def _all_sent(self) -> bool:
        with connect(self.run.server.url, read_only=True) as connection:
            query = "SELECT count(*) FROM cellwitness_people.alert_sends WHERE state <> 'sent'"
            return connection.execute(query).fetchone() == (0,)

    def _show(self, alert: str) -> None:
        told = self.messages(alert)
        times = Counter(message["key"] for message in told)
        for message in {message["key"]: message for message in told}.values():
            often = f"came {times[message['key']]} times" if times[message["key"]] > 1 else "came once"
            self.lines.append(
                f"webhook       {message['kind']:<12} {message['status']:<9} key {message['key'][:12]}  {often}"
            )
        state = "firing" if alert in firing(self.manager) else "resolved"
        self.lines.append(f"Alertmanager  {state:>19}")


def watched(folder: Path, hook: Receiver, manager: Alertmanager) -> tuple[Life, set[str]]:
    """Follower, worker, database and alerter as processes."""
    with pipeline(folder, frauds()) as run:
        run.profile.write_text(profile_toml(run.chain.network, Terms(), weak=True))
        run.follower()
        run.worker("--profile", str(run.profile), "--fleet-minutes", "0")
        run.wait_for_tables()
        life = Life(run, hook, manager)
        gone = life.play()
    life.lines.append(
        f"# {len(hook.requests)} requests, {repeats_are_the_same(hook)} of them repeats: same key, same bytes"
    )
    return life, gone


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cellwitness-life-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o711)
        with receiver() as hook, alertmanager(folder) as manager:
            life, _ = watched(folder, hook, manager)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "\n".join(life.lines) + "\n" + END + after)


if __name__ == "__main__":
    main()
