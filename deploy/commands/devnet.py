import json
import time
from pathlib import Path
from typing import Final

import click
import structlog

from deploy.commands.devnet_control import fork, grow, misbehave, status
from deploy.commands.devnet_options import (
    devnet_extra,
    network_named,
    progress_bar,
    with_fleet,
    with_ogmios_version,
    with_serving,
    write_profile,
)
from deploy.devnet.chain import Chain
from deploy.devnet.foreground import Door, in_foreground
from deploy.devnet.network import NETWORKS, SLOTS_PER_BLOCK, OgmiosVersion
from deploy.devnet.recording import play_step, steps
from indexer.chain import Tip
from indexer.errors import ConfigurationError

log = structlog.get_logger(component="devnet")

HISTORY_INTERVAL_DAYS: Final = 7.0


@click.group()
def devnet() -> None:
    """A Cardano chain of our own, behind a server that speaks Ogmios' protocol (v6.14 or v7).

    Its batteries sign readings with software secure elements; its transactions are real (true CBOR, ids and
    signatures), its scripts are the contracts, and `run` runs them. Time is simulated: a slot is a second of the chain.

    \b
    A chain that grows before your eyes, and a fork in it:
      cellwitness devnet run --profile-out devnet.toml
      cellwitness devnet fork --depth 5
      cellwitness devnet misbehave drop
    A year of a hundred batteries as a file, and a node that serves it:
      cellwitness devnet make --batteries 100 --years 1 --out year.ndjson.zst --profile-out devnet.toml
      cellwitness devnet play year.ndjson.zst
    """


@devnet.command()
@with_fleet
@click.option(
    "--years", default=1.0, show_default=True, type=click.FloatRange(0.001, 100), help="How much of the past."
)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="NDJSON; .zst packs it.")
@click.option("--profile-out", type=click.Path(dir_okay=False, path_type=Path), help="The deployment's profile.")
@click.option("--reading-days", default=HISTORY_INTERVAL_DAYS, show_default=True, help="Mean time between readings.")
@click.option("--every-block", is_flag=True, help="Leave no quiet hours out: 1.6 million blocks a year.")
@click.option("--include-cbor", is_flag=True, help="As Ogmios' --include-transaction-cbor.")
@click.option(
    "--second-opinion/--no-second-opinion", default=True, help="Have pycardano read a sample back.  [default: yes]"
)
@click.option(
    "--scripts/--no-scripts", help="Run the contracts on each transaction, some 0.2 s each.  [default: foresee them]"
)
@with_ogmios_version
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def make(  # each argument is a flag
    batteries: int,
    seed: int,
    fraud_share: float,
    weak_contract: bool,
    years: float,
    out: Path,
    profile_out: Path | None,
    labels_out: Path | None,
    reading_days: float,
    every_block: bool,
    include_cbor: bool,
    second_opinion: bool,
    scripts: bool,
    ogmios_version: OgmiosVersion,
    as_json: bool,
) -> None:
    """Makes a chain and writes it to a file, one `nextBlock` answer a line.

    Four blocks of five are empty and blocks are some 20 slots apart; hours in which no battery is read are left out.
    Batteries are registered, read, sold; accounts are filled up, keys replaced, commitments abandoned and reclaimed,
    and some readings refused. The labels say, for each such transaction, which events it must become, and which fraud
    or honest oddity it is part of, if any.

    \b
      cellwitness devnet make --batteries 100 --years 2 --out fleet.ndjson.zst --labels-out labels.ndjson
      cellwitness devnet make --fraud-share 0.05 --weak-contract --out frauds.ndjson.zst --labels-out labels.ndjson
    """
    with devnet_extra():
        from deploy.devnet.maker import Plan  # noqa: PLC0415 needs the extra `devnet`
        from deploy.devnet.second_opinion import SecondOpinion  # noqa: PLC0415
        from deploy.devnet.write import YEAR_SLOTS, Written, write_chain  # noqa: PLC0415
    plan = Plan(
        seed=seed,
        batteries=batteries,
        reading_interval_slots=round(reading_days * 86_400),
        ogmios_version=ogmios_version,
        every_block=every_block,
        include_cbor=include_cbor,
        fraud_share=fraud_share,
        weak_contract=weak_contract,
    )
    started = time.monotonic()
    with progress_bar() as bar:
        task = bar.add_task("making", total=years * YEAR_SLOTS, rate="")

        def tell(written: Written) -> None:
            rate = written.blocks / max(time.monotonic() - started, 1e-3)
            readings = written.kinds["submit"]
            text = f"{written.blocks:,} blocks, {readings:,} readings, {rate:,.0f} blocks/s"
            bar.update(task, completed=written.last_slot, rate=text)

        try:
            written = write_chain(
                plan,
                years,
                out,
                labels_out,
                progress=tell,
                opinion=SecondOpinion() if second_opinion else None,
                network=NETWORKS["devnet"] if scripts else None,
            )
            write_profile(profile_out, NETWORKS["devnet"], weak=weak_contract)
        except OSError as error:
            raise ConfigurationError(f"can't write {error.filename}: {error.strerror}") from error
    seconds = time.monotonic() - started
    report = {
        "out": str(out),
        "bytes": out.stat().st_size,
        "blocks": written.blocks,
        "empty_blocks": written.empty_blocks,
        "transactions": written.transactions,
        "kinds": dict(sorted(written.kinds.items())),
        "read_back": written.read_back,
        "judged": written.judged,
        "seconds": round(seconds, 3),
        "blocks_per_second": round(written.blocks / seconds),
    }
    if as_json:
        click.echo(json.dumps(report))
        return
    click.echo(
        f"{written.blocks:,} blocks ({written.empty_blocks:,} empty) with {written.transactions:,} transactions, "
        f"{written.kinds['submit']:,} readings of {batteries} batteries, in {seconds:.1f} s "
        f"({report['blocks_per_second']:,} blocks/s): {out}, {report['bytes']:,} bytes"
    )
    if written.read_back:
        click.echo(f"pycardano read {written.read_back} of the transactions back: the same ids, every signature holds")
    if scripts:
        click.echo(f"the contracts decided each of the {written.judged} transactions that touch them")
    click.echo(f"next: cellwitness devnet play {out}")


@devnet.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--speed", default="max", show_default=True, help="max; realtime; or how many times faster than that.")
@click.option("--network", default="devnet", show_default=True, type=click.Choice(list(NETWORKS)), help="Its genesis.")
@click.option("--magic", type=int, help="Another network magic.")
@click.option("--k", type=click.IntRange(1), help="Another security parameter, blocks.")
@with_serving
def play(  # each argument is a flag
    file: Path,
    speed: str,
    network: str,
    magic: int | None,
    k: int | None,
    ogmios_version: OgmiosVersion,
    port: int,
    host: str,
    strict_rpc: bool,
    as_json: bool,
) -> None:
    """Serves a recorded or made chain: FILE has one `nextBlock` answer a line (.ndjson or .ndjson.zst).

    With --speed max the whole chain is there at once, for each client from its own intersection on. Otherwise blocks
    appear as their slots come, and /health says 202 until the last one has.

    \b
      cellwitness devnet play year.ndjson.zst --port 1337
      cellwitness devnet play preview.ndjson.zst --network preview --speed 100
    """
    factor = _speed(speed)
    chain = Chain(network_named(network, magic, k), ogmios_version=ogmios_version)
    moves = steps(file)
    if factor is None:
        for move in moves:
            play_step(chain, move)
    with in_foreground(chain, Door(host, port, strict_rpc), as_json=as_json) as stop:
        if factor is not None:
            chain.complete = False
            for move in moves:
                before = chain.tip
                header = move[0] if isinstance(move, tuple) else None
                if header is not None and isinstance(before, Tip) and stop((header.slot - before.slot) / factor):
                    return
                play_step(chain, move)
            chain.complete = True
            log.info("recording_played", blocks=len(chain))
        while not stop(3600):
            pass


def _speed(text: str) -> float | None:
    """Slots a second; None for all at once."""
    if text == "max":
        return None
    try:
        factor = 1.0 if text == "realtime" else float(text)
    except ValueError:
        factor = 0.0
    if factor <= 0:
        raise ConfigurationError(f"--speed {text}: write max, realtime, or a number above 0")
    return factor


@devnet.command()
@with_fleet
@click.option("--block-seconds", default=0.2, show_default=True, type=click.FloatRange(0.001), help="Between blocks.")
@click.option("--history-years", default=0.0, show_default=True, type=click.FloatRange(0, 100), help="Made at start.")
@click.option("--reading-minutes", type=click.FloatRange(1), help="Of the chain's time; as the fleet's size asks for.")
@click.option("--k", default=432, show_default=True, type=click.IntRange(1), help="Security parameter, blocks.")
@click.option(
    "--mischief-seconds", type=click.FloatRange(0.1), help="Misbehave about that often, by the seed.  [default: never]"
)
@click.option("--profile-out", type=click.Path(dir_okay=False, path_type=Path), help="The deployment's profile.")
@click.option(
    "--scripts/--no-scripts", default=True, help="Run the contracts on what the fleet does now.  [default: yes]"
)
@click.option("--history-scripts", is_flag=True, help="Run them on the history too, some 0.2 s a transaction.")
@with_serving
def run(  # each argument is a flag
    batteries: int,
    seed: int,
    fraud_share: float,
    weak_contract: bool,
    labels_out: Path | None,
    block_seconds: float,
    history_years: float,
    reading_minutes: float | None,
    k: int,
    mischief_seconds: float | None,
    profile_out: Path | None,
    scripts: bool,
    history_scripts: bool,
    ogmios_version: OgmiosVersion,
    port: int,
    host: str,
    strict_rpc: bool,
    as_json: bool,
) -> None:
    """Runs a chain that grows until you stop it: a block each --block-seconds, some 20 s apart by its own clock.

    Its batteries register first, then are read about every nine blocks. With --history-years it begins with that much
    of the past.

    \b
      cellwitness devnet run --batteries 10 --profile-out devnet.toml
      cellwitness devnet fork --depth 5
    """
    with devnet_extra():
        from deploy.devnet.battery import DAY_SLOTS  # noqa: PLC0415 needs the extra `devnet`
        from deploy.devnet.desk import Desk  # noqa: PLC0415
        from deploy.devnet.make import slots  # noqa: PLC0415
        from deploy.devnet.maker import Maker, Plan  # noqa: PLC0415
        from deploy.devnet.open_ledger import OpenLedger  # noqa: PLC0415
        from deploy.devnet.write import Labels  # noqa: PLC0415
    lively = round(60 * reading_minutes) if reading_minutes else 9 * SLOTS_PER_BLOCK * batteries
    history_slots = round(history_years * 365.25 * DAY_SLOTS)
    interval = round(HISTORY_INTERVAL_DAYS * DAY_SLOTS) if history_slots else lively
    network = network_named("devnet", None, k)
    plan = Plan(
        seed=seed,
        batteries=batteries,
        reading_interval_slots=interval,
        ogmios_version=ogmios_version,
        fraud_share=fraud_share,
        weak_contract=weak_contract,
    )
    maker = Maker(plan)
    ledger = OpenLedger(maker)
    chain = Chain(network, ogmios_version=ogmios_version, seed=seed, ledger=ledger)
    write_profile(profile_out, network, weak=weak_contract)
    desk = Desk(ledger, network)
    if history_scripts:
        ledger.run_scripts(desk.admission.why_refused)
    with Labels(labels_out) as labels:
        with progress_bar() as bar:
            task = bar.add_task("making history", total=history_slots or 1, rate="")
            for slot, transactions in slots(maker, history_slots, ledger):
                labels.write(chain.add(slot, transactions), maker.last)
                if len(chain) % 256 == 0:
                    bar.update(task, completed=slot, rate=f"{len(chain):,} blocks")
        # From the newest block on: the history may end in hours that were left out.
        maker.hurry(lively, chain.tip.slot if isinstance(chain.tip, Tip) else 0)
        door = Door(host, port, strict_rpc, mischief_seconds, seed)
        if scripts:
            desk.admission.warm_up()
            ledger.run_scripts(desk.admission.why_refused)
        with in_foreground(chain, door, as_json=as_json, profile=profile_out, desk=desk) as stop:
            due = time.monotonic()
            spent = 0.0
            # However late we are, whoever asks must get a turn: scripts keep the processor and the chain to themselves.
            while not stop(max(spent, due - time.monotonic())):
                began = time.monotonic()
                labels.write(chain.grow(1)[0], maker.last)
                labels.flush()
                spent = time.monotonic() - began
                due = max(due + block_seconds, time.monotonic() - 1)


for _command in (fork, grow, misbehave, status):
    devnet.add_command(_command)
