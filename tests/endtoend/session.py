"""A reading made by hand, from an empty folder to its timeline: every command as a user types it, and what it says.

``python -m tests.endtoend.session`` writes the session that it saw into the README.
"""

import os
import re
import select
import subprocess
import tempfile
import termios
from pathlib import Path
from typing import Final

from tests.endtoend.processes import COMMAND, Running, clean_environment, wait_until
from tests.shared import ROOT

README: Final = ROOT / "README.md"
BEGIN: Final = "<!-- session: written by `python -m tests.endtoend.session` -->\n```\n"
END: Final = "```\n<!-- end of session -->"
BATTERY: Final = "urn:eudpp:battery:mine"
WIDTH: Final = 116


class Session:
    """Runs commands in a folder and keeps what a user sees, but for the address of the node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._url = ""
        self._devnet = Running(
            folder,
            "devnet",
            *("devnet", "run", "--port", "0", "--json", "--batteries", "1", "--block-seconds", "0.25"),
            *("--reading-minutes", "600", "--profile-out", "devnet.toml"),
        )
        wait_until(lambda: self._devnet.out.endswith("}\n"), "the devnet")
        self._url = self._devnet.json()["url"]
        self._say("cellwitness devnet run --profile-out devnet.toml &", "")

    def close(self) -> None:
        self._devnet.terminate()

    def do(self, command: str, *, code: int = 0, shown: str | None = None) -> str:
        """Runs ``cellwitness`` with these words. Returns what it says on standard output."""
        words = command.split()
        extra = ["--ogmios", self._url] if words[0] in ("passport", "commit", "submit", "follow", "devnet") else []
        done = subprocess.run(
            [*COMMAND, "--log-level", "error", *words, *extra],
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        self._say(f"cellwitness {shown or command}", done.stdout if code == 0 else done.stderr)
        return done.stdout

    def look(self, command: str, shown: str) -> str:
        """Runs a command in a window, for which it makes its tables as wide as that."""
        window, end = os.openpty()
        termios.tcsetwinsize(end, (50, WIDTH))
        environment = clean_environment({"COLUMNS": str(WIDTH), "TERM": "dumb"})
        with subprocess.Popen(
            [*COMMAND, "--log-level", "error", *command.split()], cwd=self.folder, env=environment, stdout=end
        ) as process:
            os.close(end)
            said = b""
            while process.poll() is None or select.select([window], [], [], 0.1)[0]:
                try:
                    said += os.read(window, 65_536)
                except OSError:  # its other end was closed
                    break
        os.close(window)
        assert process.returncode == 0
        text = said.decode().replace("\r\n", "\n")
        self._say(f"cellwitness {shown}", text)
        return text

    def _say(self, command: str, answer: str) -> None:
        for line in f"$ {command}\n{answer}".rstrip().splitlines():
            # As a window does it: what is too long goes on in the next line.
            text = line.rstrip()
            self.lines += [text[at : at + WIDTH] for at in range(0, max(len(text), 1), WIDTH)]


def play(folder: Path) -> Session:
    """The walk-through: a reading that is taken, and one that comes too late."""
    session = Session(folder)
    try:
        session.do("element new --out chip.json")
        session.do(f"passport register --battery {BATTERY} --element chip.json")
        _read(session, "reading.cose")
        session.do(f"submit --battery {BATTERY} --reading reading.cose")
        _read(session, "late.cose")
        session.do("devnet grow --slots 3600")
        session.do(f"submit --battery {BATTERY} --reading late.cose", code=1)
        session.do("follow --profile devnet.toml --log sqlite:events.db --until-tip")
        session.do(
            "project --log sqlite:events.db --profile devnet.toml --data-dir data --until-caught-up",
            shown="project --log sqlite:events.db --profile devnet.toml --until-caught-up",
        )
        session.look(f"timeline {BATTERY} --checks --data-dir data", f"timeline {BATTERY} --checks")
    finally:
        session.close()
    return session


def _read(session: Session, out: str) -> None:
    said = session.do(f"commit --battery {BATTERY}")
    found = re.search("^transaction ([0-9a-f]{64})$", said, re.MULTILINE)
    assert found is not None
    session.do(f"element tap chip.json --battery {BATTERY} --challenge {found[1]} --out {out}")


def masked(text: str) -> str:
    """Without what differs each time: ids and keys, numbers, times, and the blanks that align them."""
    text = re.sub(r"[0-9a-f]{8,}…?", "#", text)
    text = re.sub(r"[▁▂▃▄▅▆▇█]+", "~", text)
    text = re.sub(r"\d[\d.,:]*", "0", text)
    return re.sub(r"\s+", "", text)


def in_readme() -> str:
    """The session that the README shows."""
    _, _, rest = README.read_text().partition(BEGIN)
    shown, found, _ = rest.partition(END)
    assert found, "the README has no session"
    return shown


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cellwitness-session-") as name:
        folder = Path(os.path.realpath(name))
        folder.chmod(0o711)
        text = "\n".join(play(folder).lines) + "\n"
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + BEGIN + text + END + after)


if __name__ == "__main__":
    main()
