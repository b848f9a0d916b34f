# ruff: noqa: E501  # texts as they stand in the code
"""Faults planted in our own code, one at a time. Each must be found by the simulation or by the fast tests."""

from typing import Final

from msgspec import Struct


class Mutant(Struct, frozen=True):
    """In ``file`` the one place that reads ``text`` reads ``instead``."""

    name: str
    file: str
    text: str
    instead: str


FOLLOW, SESSION, RUN = "indexer/follow.py", "indexer/session.py", "indexer/run.py"
STEPS, TAIL, PORT, AUDIT = "indexer/log/steps.py", "indexer/log/tail.py", "indexer/log/port.py", "indexer/log/audit.py"
REACH, REPAIR, MESSAGES = "indexer/log/reach.py", "indexer/log/repair.py", "indexer/ogmios/messages.py"
SQLITE, STORE, BATCH = "indexer/log/sqlite.py", "projections/store.py", "projections/batch.py"
SHARING, PARKING, REFUSED = "projections/sharing.py", "projections/parking.py", "projections/refused.py"
QUERIES, TIMELINE, FOLDING = "projections/queries.sql", "projections/timeline.py", "projections/folding.py"

MUTANTS: Final = (
    Mutant(
        "cursor before events",
        SQLITE,
        """            self._connection.execute("INSERT INTO spine VALUES (?, ?, ?)", (step.spine.step, spine, stored.digest))
            self._connection.executemany(""",
        """            self._connection.execute("INSERT INTO spine VALUES (?, ?, ?)", (step.spine.step, spine, stored.digest))
            self._connection.execute("COMMIT")
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(""",
    ),
    Mutant(
        "fence after read",
        SQLITE,
        """                query = "UPDATE fence SET epoch = epoch + 1 RETURNING epoch"
                (self._epoch,) = self._connection.execute(query).fetchone()
                # Read in the transaction that fences: nobody can append between the two.
                self._end = _last(self._connection)""",
        """                self._end = _last(self._connection)
                self._connection.execute("COMMIT")
                query = "UPDATE fence SET epoch = epoch + 1 RETURNING epoch"
                (self._epoch,) = self._connection.execute(query).fetchone()
                self._connection.execute("BEGIN IMMEDIATE")""",
    ),
    Mutant("zombie not fenced", SQLITE, "if epoch != self._epoch:", "if epoch < self._epoch:"),
    Mutant(
        ">= for > above the point",
        REACH,
        "height < record.height <= highest[record.step]",
        "height <= record.height <= highest[record.step]",
    ),
    Mutant(
        "a step that is cut in two is retracted whole",
        REACH,
        "height < record.height <= highest[record.step]",
        "height < record.height",
    ),
    Mutant(
        "a step that was left is still held",
        REACH,
        "while self._held and self._held[-1].lowest > height:",
        "while self._held and self._held[-1].lowest > height + 1:",
    ),
    Mutant(
        "steps are forgotten too early", REACH, "highest <= spine.final_height:", "highest <= spine.final_height + 1:"
    ),
    Mutant(
        "retractions are forgotten too early",
        REACH,
        "if height <= final_height}",
        "if height <= final_height + 2}",
    ),
    Mutant(
        "the block at the point is left too",
        FOLLOW,
        "del self.entries[target + 1 :]",
        "del self.entries[target:]",
    ),
    Mutant(
        "retraction to one partition only",
        STEPS,
        "for partition, target in reversed(live):",
        "for partition, target in reversed([each for each in live if each[0] == 0]):",
    ),
    Mutant(
        "retractions in the order of the events",
        STEPS,
        "for partition, target in reversed(live):",
        "for partition, target in live:",
    ),
    Mutant(
        "marker forgotten where nothing happened",
        STEPS,
        "            records.append(marker)\n",
        "            if records or marker.id.endswith('/0'):\n                records.append(marker)\n",
    ),
    Mutant(
        "incarnation always 1",
        STEPS,
        "incarnation = 1 + retracted.get((placed.fact, block.id), 0)",
        "incarnation = 1",
    ),
    Mutant(
        "incarnation by fact alone",
        STEPS,
        "incarnation = 1 + retracted.get((placed.fact, block.id), 0)",
        "incarnation = 1 + sum(times for (fact, _), times in retracted.items() if fact == placed.fact)",
    ),
    Mutant(
        "final height falls with a rollback",
        STEPS,
        "            final_height=previous.spine.final_height,\n",
        "            final_height=min(previous.spine.final_height, to_height - 1),\n",
    ),
    Mutant(
        "final height forgets what was higher",
        STEPS,
        "final_height=max(previous.spine.final_height, last.height - security_parameter),",
        "final_height=last.height - security_parameter,",
    ),
    Mutant(
        "a rollback deeper than k is followed",
        FOLLOW,
        "        if to_height < self.final_height:\n            raise self._too_deep(point)\n",
        "",
    ),
    Mutant(
        "a rollback of k blocks is refused",
        FOLLOW,
        "if to_height < self.final_height:",
        "if to_height <= self.final_height:",
    ),
    Mutant("a node behind is a rollback", FOLLOW, "if tip_height < newest.height:", "if tip_height < 0:"),
    Mutant(
        "a node behind that catches up is a rollback",
        SESSION,
        "if answer.intersection != self._cursor.point and height < self._cursor.height:",
        "if height < 0 and self._cursor.height < 0:",
    ),
    Mutant(
        "undo by slot only",
        FOLLOW,
        "if entry.id == point.id and entry.slot == point.slot:",
        "if entry.slot <= point.slot:",
    ),
    Mutant(
        "a rollback overtakes the blocks that arrived with it",
        FOLLOW,
        "        assert isinstance(point, Point)\n        self._end_run()\n",
        "        assert isinstance(point, Point)\n",
    ),
    Mutant(
        "a node that once could not answer is set aside for good",
        MESSAGES,
        "return RequestFailed(method, error.code, error.message)",
        "return InvalidFrame(error.message)",
    ),
    Mutant(
        "a node that once did not say who it is is refused for good",
        "indexer/ogmios/endpoints.py",
        "            unwell[url] = str(error)\n        except",
        "            refused[url] = str(error)\n        except",
    ),
    Mutant(
        "a step behind doubled records is taken for torn",
        REPAIR,
        'if group[-1].kind == "marker" and group[-1].step >= step:',
        "if group:",
    ),
    Mutant("the parent's link is not checked", FOLLOW, "if block.parent != parent:", "if not block.parent:"),
    Mutant("the height is not checked", FOLLOW, "if block.height != height + 1 and not (", "if False and not ("),
    Mutant("the slot is not checked", FOLLOW, "block.point.slot <= newest.slot", "block.point.slot < 0"),
    Mutant(
        "pending blocks are not written before an undo",
        SESSION,
        "                case Undo():\n                    self._flush()\n",
        "                case Undo():\n",
    ),
    Mutant(
        "retracted counts are not refreshed",
        REACH,
        "self._retracted[place] = self._retracted.get(place, 0) + 1",
        "self._retracted.setdefault(place, 1)",
    ),
    Mutant(
        "a step is written although its writer failed",
        SQLITE,
        "        self._broken = True  # until the commit has answered\n",
        "",
    ),
    Mutant("the tail is not audited", RUN, "audit_tail(self._log, self._options.audited_steps)", "pass"),
    Mutant("the tail ends too early", TAIL, "if blocks and blocks[-1].height <= final and not wanted:", "if blocks:"),
    Mutant(
        "retractions are read from too late",
        TAIL,
        "if stored.spine.final_height > NO_BLOCK_HEIGHT and reached <= final:",
        "if stored.spine.height <= final:",
    ),
    Mutant(
        "a chain left is taken for the current one",
        TAIL,
        "ceiling = spine.height if ceiling is None else min(ceiling, spine.height)",
        "ceiling = spine.height",
    ),
    Mutant("origin is offered by a log with blocks", TAIL, "if isinstance(self.since, Point) and", "if"),
    Mutant("a reader steps over a gap", PORT, "if record.seq != last_seq + 1:", "if record.seq < last_seq + 1:"),
    Mutant("a reader takes a record twice", PORT, "if record.seq <= last_seq:", "if record.seq < 0:"),
    Mutant(
        "the checkpoint goes back with repeated records",
        STORE,
        "last_seq=accepted[-1].seq if accepted else before.last_seq,",
        "last_seq=max(before.last_seq, batch.records[-1].seq),",
    ),
    Mutant(
        "the checkpoint outside the transaction",
        STORE,
        "        with translated(), self._connection.transaction():\n            accepted, known, parked = self._begin(batches)\n",
        "        with translated():\n            accepted, known, parked = self._begin(batches)\n",
    ),
    Mutant("ownership is not looked at first", STORE, "        self._hold(batches)\n", ""),
    Mutant(
        "a refold forgets the retraction",
        BATCH,
        "        fact = self._live[battery].pop(record.retracts, None)\n",
        "        fact = self._live[battery].get(record.retracts)\n",
    ),
    Mutant(
        "a refold does not end what is gone",
        BATCH,
        "        for table, key in old.keys() - new.keys():\n            self.versions.close(table, key, step)\n",
        "",
    ),
    Mutant(
        "a refold forgets what stood before the fork",
        BATCH,
        "        old, new = common | old, common | new\n",
        "",
    ),
    Mutant(
        "a row's span does not end",
        "projections/versions.py",
        "        if not fresh:\n            self.close(table, key, step)\n",
        "",
    ),
    Mutant(
        "what is doubled after the end is not noticed",
        AUDIT,
        "if record.step <= to_step:",
        "if record.step < 0:",
    ),
    Mutant(
        "a step that failed is taken for written",
        SESSION,
        "        self._writer.append(step)\n        self._reach.written(step.spine)\n        metrics.LAST_STEP.set_to_current_time()\n        for placed in events:",
        "        try:\n            self._writer.append(step)\n        except Retryable:\n            pass\n        self._reach.written(step.spine)\n        for placed in events:",
    ),
    Mutant(
        "a worker that comes late is not asked who owns what",
        QUERIES,
        "       AS ours (partition, owner_epoch, next_offset) USING (partition, owner_epoch, next_offset)\n WHERE checkpoints.projection = %(projection)s\n",
        "       AS ours (partition, owner_epoch, next_offset) ON ours.partition = checkpoints.partition\n WHERE checkpoints.projection = %(projection)s\n",
    ),
    Mutant(
        "whoever takes a partition does not raise its epoch",
        QUERIES,
        "ON CONFLICT (projection, partition) DO UPDATE SET owner_epoch = checkpoints.owner_epoch + 1, owner = excluded.owner",
        "ON CONFLICT (projection, partition) DO UPDATE SET owner_epoch = checkpoints.owner_epoch, owner = excluded.owner",
    ),
    Mutant(
        "a closed version is looked for among all",
        QUERIES,
        "   AND events.event_index = ended.event_index AND known_until_step IS NULL;",
        "   AND events.event_index = ended.event_index;",
    ),
    Mutant(
        "the checkpoint forgets the step",
        STORE,
        "last_step=folded.positions[-1].step if folded.positions else before.last_step,",
        "last_step=before.last_step,",
    ),
    Mutant(
        "who is at work is robbed",
        SHARING,
        "if at not in mine and (owners[at] == me or owners[at] not in alive))",
        "if at not in mine)",
    ),
    Mutant(
        "nobody gives to a newcomer",
        SHARING,
        "return Moves(frozenset(mine[share:]), frozenset())",
        "return Moves(frozenset(), frozenset())",
    ),
    Mutant(
        "what is left over is nobody's",
        SHARING,
        "share = each_gets + (sharing.index(me) < left_over)",
        "share = each_gets",
    ),
    Mutant(
        "the dead keep what they had",
        SHARING,
        "if each.alive or each.worker == me}",
        "}",
    ),
    Mutant(
        "later events do not wait behind what can't be handled",
        PARKING,
        'elif record.kind == "event" and (ids or (battery, record.step) in stops):',
        'elif record.kind == "event" and (battery, record.step) in stops:',
    ),
    Mutant(
        "half a step of a battery is shown",
        PARKING,
        'elif record.kind == "event" and (ids or (battery, record.step) in stops):',
        'elif record.kind == "event" and (ids or record.id in {each.event_id for each in stops.values()}):',
    ),
    Mutant(
        "what the chain took back waits on",
        PARKING,
        "            ids.discard(record.retracts)\n",
        "",
    ),
    Mutant(
        "the batteries of a batch wait for each other",
        PARKING,
        "        battery = (record.key, record.deployment)\n        ids = waiting.get(battery)",
        "        battery = ('', record.deployment)\n        ids = waiting.get(battery)",
    ),
    Mutant(
        "what is refused is searched in one half",
        REFUSED,
        "    yield from _refused(batteries[half:], attempt)\n",
        "",
    ),
    Mutant(
        "what is refused is parked a step late",
        REFUSED,
        "        if attempt(with_markers(through(steps[middle]))) is None:",
        "        if True:",
    ),
    Mutant(
        "a version that ended within a batch is lost",
        "projections/versions.py",
        "        if since < step:\n",
        "        if since > step:\n",
    ),
    Mutant(
        "a version of no step is kept",
        "projections/versions.py",
        "        if since < step:\n",
        "        if True:\n",
    ),
    Mutant(
        "a refold folds anew only what comes after the fork",
        BATCH,
        "        self.states[battery], new = self._fold_all(state, after[same:])\n",
        "        self.states[battery], new = self._fold_all(EMPTY, after[same:])\n",
    ),
    Mutant(
        "live events are in the order of arrival",
        BATCH,
        "dict(sorted(self._live[battery].items(), key=lambda item: item[1].place))",
        "dict(reversed(self._live[battery].items()))",
    ),
    Mutant(
        "an event of a battery with a retraction is not remembered",
        BATCH,
        "            if battery in self._live:\n                self._live[battery][fact.event_id] = fact\n",
        "",
    ),
    Mutant(
        "what is doubled in the chain's order passes",
        BATCH,
        "        if fact.place <= state.place:\n",
        "        if fact.place < (0, 0, 0):\n",
    ),
    Mutant(
        "alerts are not in the state",
        FOLDING,
        "return State(timeline=after, verdicts=standing, alerts=alerts), puts",
        "return State(timeline=after, verdicts=standing), puts",
    ),
    Mutant(
        "an alert is raised by what alarms nobody",
        "projections/alerts.py",
        "        if finding.severity in ALERTING:\n            known",
        "        if finding.severity:\n            known",
    ),
    Mutant(
        "a rejected reading ends its commitment",
        TIMELINE,
        "    if not ended or isinstance(fact.event, ReadingRejected):\n        return state, []\n    gone",
        "    if not ended:\n        return state, []\n    gone",
    ),
    Mutant(
        "a reading consumes what it did not burn",
        TIMELINE,
        "if each.token_name in event.burned_commitments and (each.transaction, each.output_index) in spent",
        "if (each.transaction, each.output_index) in spent",
    ),
    Mutant(
        "an account that proves nothing moves the battery",
        TIMELINE,
        "    if event.account_unproven:\n        return battery\n",
        "",
    ),
    Mutant(
        "anybody can name a battery",
        TIMELINE,
        "    if battery.battery_key not in (battery_id, blake2b(raw, digest_size=28).hexdigest()):\n        return battery\n",
        "",
    ),
    Mutant(
        "a rejected reading moves the account",
        "projections/verdicts/state.py",
        "        case ReadingRejected() | TransactionQuarantined():\n            return state\n",
        "        case ReadingRejected():\n            return _moved(state, after_reading(state.now, event))\n        case TransactionQuarantined():\n            return state\n",
    ),
    Mutant(
        "a reading is judged by what its own transaction moved",
        "projections/verdicts/state.py",
        "        return self.now if self.before is None else self.before\n",
        "        return self.now\n",
    ),
    Mutant(
        "an outlier moves the reference",
        "projections/rules/history.py",
        "        return replace(history, aside=(*history.aside, reading.soh_bp or 0))\n",
        "        history = replace(history, aside=(*history.aside, reading.soh_bp or 0))\n",
    ),
    Mutant(
        "a high s is as good as a low one to the ledger",
        "projections/verdicts/signatures.py",
        '        return "false" if signature.low_s is False else "true"\n',
        '        return "true"\n',
    ),
)
