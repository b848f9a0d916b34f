"""Other people's files that the browser loads, fetched from npm's registry and held to the lock file.

None of them is committed, and no Node is needed: an npm package is a tar file whose SHA-512 the lock file names.
Nothing but the standard library is imported, because the build of a wheel runs this too.
"""

import base64
import hashlib
import io
import json
import os
import re
import tarfile
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
FOLDER: Final = STATIC / "vendor"
LOCK: Final = STATIC / "package-lock.json"

REGISTRY: Final = "https://registry.npmjs.org/"
"""Where npm itself looks when nobody says otherwise."""

MAX_BYTES: Final = 16 * 1024 * 1024  # of one package
TIMEOUT_SECONDS: Final = 30.0

Wanted = Mapping[str, Mapping[str, str]]

FILES: Final[Wanted] = {
    "htmx.org": {"package/dist/htmx.min.js": "htmx.js"},
    "uplot": {"package/dist/uPlot.iife.min.js": "uplot.js", "package/dist/uPlot.min.css": "uplot.css"},
}
"""Of each package, the files that are served, and by what name."""


class AssetsUnavailable(Exception):
    """The registry gave nothing, or something else than what is locked. Pages work without: they lose what moves."""


def missing(files: Wanted = FILES, lock: Path = LOCK, folder: Path = FOLDER) -> list[str]:
    """Files that were never fetched, or belong to another lock file than the present one."""
    names = [name for each in files.values() for name in each.values()]
    if _marked(folder) != _digest(lock):
        return names
    return [name for name in names if not (folder / name).exists()]


def fetch(
    say: Callable[[str], None] = lambda _: None, *, files: Wanted = FILES, lock: Path = LOCK, folder: Path = FOLDER
) -> None:
    """Brings what is missing. Raises AssetsUnavailable; then nothing that was there before is changed."""
    locked = json.loads(lock.read_text())["packages"]
    found: dict[str, bytes] = {}
    for package, names in files.items():
        entry = locked[f"node_modules/{package}"]
        say(f"{package} {entry['version']}")
        found |= _extract(_download(package, entry["version"], entry["integrity"]), names, package)
    try:
        folder.mkdir(exist_ok=True)
        for name, content in found.items():
            beside = folder / f"{name}.{os.getpid()}"
            beside.write_bytes(content)
            beside.replace(folder / name)
        (folder / "lock.sha256").write_text(_digest(lock))
    except OSError as error:
        raise AssetsUnavailable(f"can't write into {folder}: {error.strerror}") from error


def registry() -> str:
    """As npm has it: the variable, the user's .npmrc, npm's own."""
    said = os.environ.get("npm_config_registry")  # noqa: SIM112  # as npm writes it
    said = said or os.environ.get("NPM_CONFIG_REGISTRY")
    if not said:
        try:
            lines = (Path.home() / ".npmrc").read_text().splitlines()
        except (OSError, RuntimeError):
            lines = []
        found = [re.fullmatch(r"\s*registry\s*=\s*(\S+)\s*", line) for line in lines]
        said = next((match[1] for match in found if match), REGISTRY)
    return said.rstrip("/") + "/"


def _download(package: str, version: str, integrity: str) -> bytes:
    url = f"{registry()}{package}/-/{package}-{version}.tgz"
    if not url.startswith(("https://", "http://")):
        raise AssetsUnavailable(f"{url} is no address of a registry")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # https or http, see above
            content: bytes = answer.read(MAX_BYTES + 1)
    except OSError as error:
        raise AssetsUnavailable(f"can't fetch {package} {version} from {registry()}: {error}") from error
    algorithm, _, expected = integrity.partition("-")
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if algorithm != "sha512" or found != expected:
        raise AssetsUnavailable(
            f"{package} {version} from {registry()} is not what the lock file names: sha512-{found}"
        )
    return content


def _extract(archive: bytes, files: Mapping[str, str], package: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for path, name in files.items():
            try:
                member = tar.extractfile(path)
            except KeyError:
                member = None
            if member is None:
                raise AssetsUnavailable(f"{package} has no file {path}: does FILES fit the lock file?")
            found[name] = member.read()
    return found


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _marked(folder: Path) -> str:
    try:
        return (folder / "lock.sha256").read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    fetch(print)
