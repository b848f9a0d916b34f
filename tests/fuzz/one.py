"""One target under atheris, in a process of its own: ``python -m tests.fuzz.one TARGET LIBFUZZER_FLAGS…``."""

import sys

import atheris

# Before the product is imported: its branches are counted, those of libraries are not.
with atheris.instrument_imports(include=["indexer", "projections", "consumers"], enable_loader_override=False):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name, *flags = sys.argv[1:]
    run = TARGETS[name].run
    atheris.Setup([sys.argv[0], *flags], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
