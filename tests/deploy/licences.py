"""The licences of what an install brings, by the lock file and by what each package says of itself.

``make licences`` writes docs/licences.md.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, metadata
from typing import Any, Final

from packaging.markers import Marker

from tests.shared import ROOT

PAGE: Final = ROOT / "docs" / "licences.md"
EXTRAS: Final = {
    "devnet": "builds transactions, and evaluates scripts: GPL code (ogmios, frozenlist2) comes with it",
    "contracts": "compiles the contracts: GPL code (ogmios, frozenlist2) comes with it",
    "parquet": "reads and writes Parquet",
}
_GPL: Final = re.compile(r"\bA?GPL|GNU (Affero )?General Public")
_BEFORE_GPL: Final = re.compile(r"\bLGPL|GNU (Lesser|Library) General Public|Lesser General Public")
_SHORT: Final = {
    "Apache License Version 2.0": "Apache-2.0",
    "Apache License - Version 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "MIT License": "MIT",
    "BSD License": "BSD",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
}


_IN_FILES: Final = {
    "GNU GENERAL PUBLIC LICENSE": "GPL",
    "GNU AFFERO GENERAL PUBLIC LICENSE": "AGPL",
    "Permission is hereby granted, free of charge, to any person obtaining a copy": "MIT",
}


@dataclass(frozen=True)
class Package:
    """A package that the lock file names."""

    name: str
    version: str


@cache
def _locked() -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}


_HERE: Final = {"python_version": "3.11", "python_full_version": "3.11.0", "sys_platform": "linux", "os_name": "posix"}
"""Where the image runs: other systems and newer Pythons take a package more or less."""


def brought(extra: str | None = None) -> list[Package]:
    """What an install brings with no extra, or what an extra adds to that."""
    own = _locked()["cellwitness"]
    default = set(_closure(own["dependencies"]))
    found = default if extra is None else set(_closure(own["optional-dependencies"].get(extra, ()))) - default
    return [Package(name, _locked()[name]["version"]) for name in sorted(found)]


def _closure(dependencies: Any) -> Iterator[str]:
    """Names that these dependencies reach."""
    seen: set[tuple[str, str]] = set()
    open_ = list(dependencies)
    while open_:
        each = open_.pop()
        if "marker" in each and not Marker(each["marker"]).evaluate(_HERE):
            continue
        package = _locked()[each["name"]]
        for extra in ("", *each.get("extra", ())):
            if (each["name"], extra) in seen:
                continue
            seen.add((each["name"], extra))
            yield each["name"]
            open_ += package["optional-dependencies"][extra] if extra else package.get("dependencies", [])


def licence(name: str) -> str | None:
    """What a package says, shortened; None where it is not installed."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return None
    classifiers = [each.rpartition(" :: ")[2] for each in said.get_all("Classifier", []) if each.startswith("License")]
    words = next((said[field] for field in ("License-Expression", "License") if field in said), "")
    first = words.strip().splitlines()[0].strip() if words.strip() else ""
    if not first or len(first) > 60 or "Copyright" in first:
        first = ", ".join(sorted(classifiers))
    return _SHORT.get(first, first) or _by_its_file(name) or "not said"


def _by_its_file(name: str) -> str | None:
    files = [each for each in distribution(name).files or () if "LICENSE" in each.name.upper()]
    text = " ".join(each.read_text() for each in files)
    found = (short for words, short in _IN_FILES.items() if words in text)
    return next((f"{short}, by its licence file" for short in found), None)


def is_gpl(text: str) -> bool:
    """GPL or AGPL; the LGPL, under which a library may be used by anything, is not meant."""
    return bool(_GPL.search(_BEFORE_GPL.sub("", text)))


def page() -> str:
    """docs/licences.md. Needs all extras installed."""
    lines = [
        "# Licences",
        "",
        "cellwitness is Apache-2.0. What an install brings, by the lock file, and what each package says of itself, as",
        "`make licences` writes it. A test holds the default install to be free of the GPL and the AGPL. The LGPL's",
        "libraries (psycopg, crc32c) are used as they are, each a package of its own that can be replaced.",
        "",
        "## The default install, the image and the chart",
        "",
        *_table(brought()),
    ]
    for extra, what in EXTRAS.items():
        lines += ["", f"## The extra `{extra}`", "", f"It {what}. Beside the above:", "", *_table(brought(extra))]
    return "\n".join(lines) + "\n"


def _table(packages: list[Package]) -> list[str]:
    rows = [f"| {each.name} | {each.version} | {licence(each.name)} |" for each in packages]
    return ["| package | version | licence |", "|---|---|---|", *rows]


def main() -> None:
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
