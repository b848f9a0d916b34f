"""The page on queries, from their data: ``python -m consumers.queries.page > docs/queries.md``."""

import sys
from collections.abc import Iterator
from typing import Final

from consumers.access import PROFILES, may_ask
from consumers.queries import QUERIES
from consumers.queries.model import Column, Parameter, Query

_HEAD: Final = """# Queries

<!-- Written from consumers/queries by `uv run python -m consumers.queries.page > docs/queries.md`: change it there. -->

Twenty-five questions about a fleet, as data and SQL: {count_surveillance} of market surveillance, {count_audit} of
auditors. The dashboard's pages, its API and the command line ask them by the same functions.

```
cellwitness query ls                              # all of them, and whom they are open to
cellwitness query show fast-fading                # meaning, parameters, columns and the SQL
cellwitness query run silent days=90 -o silent.csv
cellwitness audit query evidence battery=urn:eudpp:battery:demo:0001 --legal-basis "contract 14" -o evidence.json
cellwitness audit questions                       # what was asked, by whom, by which right
```

**A moment.** An answer holds at one step of the log: the last that all tables hold, or `--known-at STEP|TIME`, as it
was known then. `--as-of-slot N` takes only what the chain said up to that slot. `--finality confirmed|final` takes
only facts that are 15 blocks deep, or that nothing can undo. All together: what was then known, and so deep, of the
chain up to that slot. Each answer says step, slot, height, block and final height, and the same moment gives the same
rows for ever, but for what people do about alerts: acts count by the clock, up to the moment, or until now. What has
*expired* follows from where the chain stood, as far as steps tell it.

**How it is asked.** All reads of an answer are one read-only transaction and snapshot, with a time-out (30 s).
Parameters are bound, never written into SQL. Queries about one battery find its rows by indexes; those about fleets
read what they sum up.

**Formats.** `table`, `csv`, `json` and `parquet` (with the extra `parquet`); the same answer gives the same bytes.
CSV begins with lines `# …` that say where it holds, what judged and who asked. Text in it that a spreadsheet would
take for a formula has an apostrophe before it. JSON has integers of any size; in Parquet what a reading claims beyond
64 bits is null, and counted in the file's metadata under `cellwitness`.

**Who may ask.** Every asking names who, an access profile and a legal basis, and is recorded in
`cellwitness_people.questions` with its parameters, its moment and what came of it, also where it was refused or
failed. The record is added to and never changed; it is no part of what a rebuild makes: **back it up**. Columns that
a profile may not see are absent from its answers. A profile limits what honest people are shown. What a database role
may read is a line of its own, in `projections/roles.sql`, and there is no role for each profile: give only the
dashboard a login.

| profile | sees | by default asks by |
|---|---|---|
{profiles}

The kinds of data: `model` (what passports say of a model), `statistic` (of models and months), `identity` (which
battery), `status` (that it is registered, read, repurposed), `condition` (health, cycles, temperatures of a battery),
`finding` (verdicts, rules, alerts), `evidence` (hashes, keys, places), `raw` (bytes and values as they came, which
tell of everything), `person` (submitters, as hashes of their keys), `operation` (what is missing, and who dealt with
alerts).
"""


def queries_page() -> str:
    """The whole page, Markdown."""
    audiences = [query.audience for query in QUERIES.values()]
    parts = [
        _HEAD.format(
            count_surveillance=audiences.count("surveillance"),
            count_audit=audiences.count("audit"),
            profiles="\n".join(f"| `{each.name}` | {each.meaning} | {each.bases[0]} |" for each in PROFILES.values()),
        )
    ]
    for audience, title in (("surveillance", "Market surveillance"), ("audit", "Audit")):
        parts.append(f"## {title}\n")
        parts += ("\n".join(_query(query)) + "\n" for query in QUERIES.values() if query.audience == audience)
    return "\n".join(parts).rstrip() + "\n"


def _query(query: Query) -> Iterator[str]:
    yield f"### {query.number}. {query.title}"
    yield ""
    yield query.meaning
    yield ""
    yield f"- **name**: `{query.name}`"
    yield f"- **open to**: {', '.join(each.name for each in PROFILES.values() if may_ask(each, query))}"
    if query.chart is not None:
        by = f", by {query.chart.by}" if query.chart.by else ""
        yield f"- **drawn as**: {query.chart.kind}, {', '.join(query.chart.y)} over {query.chart.x}{by}"
    for note in query.notes:
        yield f"- {note}"
    yield ""
    yield "| parameter | means |"
    yield "|---|---|"
    yield from (_parameter(each) for each in query.parameters)
    yield ""
    yield "| column | unit | means | tells of |"
    yield "|---|---|---|---|"
    yield from (_column(each) for each in query.columns)


def _parameter(parameter: Parameter) -> str:
    said = [parameter.meaning]
    if parameter.choices:
        said.append(f"one of {', '.join(parameter.choices)}")
    if parameter.required:
        said.append("required")
    elif parameter.default is not None:
        words = {True: "yes", False: "no"}
        default = words[parameter.default] if isinstance(parameter.default, bool) else parameter.default
        said.append(f"default {default}{f' {parameter.unit}' if parameter.unit else ''}")
    return f"| `{parameter.name}` | {'; '.join(said)} |"


def _column(column: Column) -> str:
    return f"| `{column.name}` | {column.unit} | {column.meaning} | {column.data} |"


if __name__ == "__main__":
    sys.stdout.write(queries_page())
