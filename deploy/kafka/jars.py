"""The broker's jars: fetched once from Maven Central by the pinned pom.xml, and kept in the user's cache."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

from indexer.errors import ConfigurationError, Retryable

HERE: Final = Path(__file__).parent
OLDEST_JAVA: Final = 17
FETCH_SECONDS: Final = 900.0


class JarsUnavailable(Retryable):
    """Maven could not fetch the jars: no network, or the repository is unwell."""


def classpath(environment: Mapping[str, str] = os.environ) -> str:
    """Java's class path of the broker. Fetches the jars where the cache has none.

    Raises ConfigurationError where Maven is missing, JarsUnavailable where it can't fetch.
    """
    pom = (HERE / "pom.xml").read_bytes()
    folder = _cache(environment) / f"kafka-{blake2b(pom, digest_size=6).hexdigest()}"
    if not folder.is_dir():
        _fetch(folder)
    return f"{folder}/*"


def java() -> str:
    """The Java to run it with. Raises ConfigurationError where there is none, or it is too old."""
    found = shutil.which("java")
    if found is None:
        raise ConfigurationError(
            f"Kafka needs Java {OLDEST_JAVA} or newer, and there is none: `apt install default-jre-headless`"
        )
    command = [found, "-version"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = said.partition('"')[2].partition(".")[0].partition('"')[0]
    if not version.isdigit() or int(version) < OLDEST_JAVA:
        raise ConfigurationError(f"Kafka needs Java {OLDEST_JAVA} or newer; {found} is {version or 'of no known kind'}")
    return found


def _cache(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cellwitness"


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ConfigurationError("Kafka's jars are fetched by Maven, and there is none: `apt install maven`")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Into a folder of our own, renamed when whole: a run cut short leaves no half set of jars behind.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="kafka-") as place:
        jars = Path(place) / "jars"
        pom = Path(place) / "pom.xml"
        shutil.copyfile(HERE / "pom.xml", pom)
        goal = ("dependency:copy-dependencies", f"-DoutputDirectory={jars}", "-DincludeScope=runtime")
        try:
            done = subprocess.run(  # noqa: S603  # Maven's path, our pom
                [maven, "-q", "-B", "-f", str(pom), *goal],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=FETCH_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise JarsUnavailable(f"Maven did not fetch Kafka's jars within {FETCH_SECONDS:.0f} s") from error
        if done.returncode or not jars.is_dir():
            raise JarsUnavailable(f"Maven could not fetch Kafka's jars:\n{done.stdout[-2000:]}")
        try:
            jars.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process may have been first
                raise
