import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console

from consumers.audit.container import MAX_PACK_BYTES
from consumers.audit.verify import verify_pack
from deploy.answer_view import hash_of, print_answer
from deploy.commands.follow import read_endpoint
from deploy.own_node import with_node
from deploy.progress import ChainProgress
from indexer.errors import ConfigurationError

MEANING = "nothing in it was changed, and its verdicts follow from its facts"


@click.command()
@click.argument("pack", metavar="PACK")
@click.option("--signer", metavar="HEX", help="The Ed25519 key (32 bytes) that must have signed it.")
@click.option(
    "--root", metavar="HEX", help="The root of the log's tree at the pack's step, as you know it from elsewhere."
)
@click.option("--ogmios", "node", metavar="URL", help="Ask a node of your own whether the blocks are on its chain.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(pack: str, signer: str | None, root: str | None, node: str | None, as_json: bool) -> None:
    """Says line by line what of an evidence pack holds, what does not, and what no file can prove.

    Everything is computed again from the pack alone: digests, names, keys by slot, the twelve checks, verdicts; and
    signatures by two implementations that share no code. No network, no database and no settings are used, unless
    --ogmios names a node: then its blocks must hold these facts of the battery, and no others.

    Exit code 0: nothing fails. 1: something does: rely on nothing in the pack. 3: nothing fails, but verdicts or report
    were made by another version, which has to verify them. That the pack holds does not mean that
    the readings in it are good: their verdicts are shown below.

    \b
    cellwitness audit verify pack.zip
    cellwitness audit verify pack.zip --signer 03a107bf… --ogmios ws://127.0.0.1:1337 --json
    """
    content = _content(pack)
    found = verify_pack(content, hash_of(signer, "--signer"), hash_of(root, "--root"))
    if node is not None and found.holds:
        with ChainProgress("ask the node", "steps") as bar:
            found = with_node(
                content, found, read_endpoint(node), lambda done, total: bar.update(done=done, total=total, events=0)
            )
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        print_answer(Console(soft_wrap=not sys.stdout.isatty()), found, "PACK", MEANING)
    if not found.holds:
        sys.exit(3 if found.other_version else 1)


def _content(pack: str) -> bytes:
    try:
        with Path(pack).open("rb") as file:
            content = file.read(MAX_PACK_BYTES + 1)  # what is larger is refused by its size alone
    except OSError as error:
        raise ConfigurationError(f"can't read {pack}: {error.strerror}") from error
    return content
