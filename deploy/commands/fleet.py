import click
import msgspec

from deploy.database import database, db_options
from deploy.judging import read_judging
from indexer.errors import ConfigurationError
from projections.database import connect
from projections.fleet import run_fleet


@click.group()
def fleet() -> None:
    """Rules that compare batteries with each other: copies, rings, and those unlike their model.

    `cellwitness project` runs them every hour, see --fleet-minutes; this runs them now.

    \b
    cellwitness fleet judge --profile devnet.toml
    """


@fleet.command()
@db_options
@click.option("--profile", multiple=True, metavar="FILE", help="The profiles that `project` was given.")
@click.option("--thresholds", metavar="FILE", help="The thresholds that `project` was given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def judge(db_url: str, data_dir: str, profile: tuple[str, ...], thresholds: str | None, as_json: bool) -> None:
    """Judges every deployment's fleet as it is at the step that all tables hold.

    What is found becomes findings and alerts (`cellwitness alerts ls`); what is found no more is withdrawn. People's
    doings are looked at over 90 days, batteries over their first and their newest 100 readings.

    \b
    cellwitness fleet judge --profile devnet.toml
    """
    judging = read_judging(profile, thresholds)
    if judging is None:
        raise ConfigurationError("fleets are judged by their profiles: give --profile FILE, as to `project`")
    with database(db_url, data_dir, must_exist=True) as url, connect(url()) as connection:
        run = run_fleet(connection, judging)
    assert run is not None  # one that is asked for is never too early
    if as_json:
        click.echo(msgspec.json.encode(run))
    else:
        click.echo(
            f"Step {run.step}: {run.batteries} batteries compared, {run.findings} findings, {run.new} new or changed, "
            f"{run.ended} ended, in {run.seconds:.1f} s."
        )
