"""A report as HTML and as PDF. The same report gives the same bytes."""

from html import escape
from importlib import resources
from importlib.metadata import version
from typing import Final

import msgspec
import typst

from consumers.audit.report import Figure, Report, Section, Table

TYPST_VERSION: Final = version("typst")
_TEMPLATE: Final = (resources.files("consumers.audit") / "report.typ").read_bytes()
_STYLE: Final = (resources.files("consumers.audit") / "report.css").read_text(encoding="utf-8")


def html(report: Report) -> bytes:
    """One file, without a script and without anything from elsewhere."""
    title = escape(report.title)
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>",
        *map(_section, report.sections),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts).encode()


def pdf(report: Report) -> bytes:
    """PDF/UA-1: tagged, with a title, a language and words for the picture. Texts are data to typst, never markup."""
    document: bytes = typst.compile(
        _TEMPLATE,
        format="pdf",
        ignore_system_fonts=True,
        pdf_standards=["ua-1"],
        timestamp=0,
        sys_inputs={"report": msgspec.json.encode(report).decode()},
    )
    return document


def _section(section: Section) -> str:
    parts = [f"<section>\n<h2>{escape(section.heading)}</h2>"]
    parts += [f"<p>{escape(words)}</p>" for words in section.paragraphs]
    parts += map(_figure, section.figures)
    parts += map(_table, section.tables)
    return "\n".join([*parts, "</section>"])


def _figure(figure: Figure) -> str:
    return f"<figure>\n{figure.svg}<figcaption>{escape(figure.caption)}</figcaption>\n</figure>"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in table.rows
    )
    return (
        f'<div tabindex="0" role="region" aria-label="{escape(table.caption)}">\n<table>\n'
        f"<caption>{escape(table.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        "</table>\n</div>"
    )
