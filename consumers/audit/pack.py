"""A pack, from what was collected to the file's bytes."""

from nacl.signing import SigningKey

from consumers.audit.chart import timeline_svg
from consumers.audit.collect import Collected
from consumers.audit.container import write_container
from consumers.audit.evidence import log_parts
from consumers.audit.judged import story_parts
from consumers.audit.manifest import Manifest, Versions, sealed
from consumers.audit.render import TYPST_VERSION, html, pdf
from consumers.audit.report import REPORT_VERSION, Stands, report_of
from projections.folding import FOLD_VERSION
from projections.verdicts.model import RULE_SET

REPORT_HTML = "report.html"
REPORT_PDF = "report.pdf"
TIMELINE = "timeline.svg"
TRANSACTIONS = "transactions/"


def pack_of(collected: Collected, key: SigningKey | None = None, transactions: dict[str, bytes] | None = None) -> bytes:
    """The pack's file. The same facts, key and versions give the same bytes.

    ``transactions``: CBOR of some transactions by id, where a node gave it.
    """
    stands = Stands(collected.tree_size - 1, collected.step_digest, collected.tree_root)
    report = report_of(collected.subject, collected.evidence, collected.story, stands)
    parts = {
        **log_parts(collected.evidence),
        **story_parts(collected.story, collected.subject),
        TIMELINE: timeline_svg(collected.story),
        REPORT_HTML: html(report),
        REPORT_PDF: pdf(report),
        **{f"{TRANSACTIONS}{each}.cbor": content for each, content in (transactions or {}).items()},
    }
    manifest = Manifest(
        subject=collected.subject,
        step=stands.step,
        step_digest=stands.step_digest,
        tree_size=collected.tree_size,
        tree_root=stands.tree_root,
        versions=Versions(rule_set=RULE_SET, fold=FOLD_VERSION, report=REPORT_VERSION, typst=TYPST_VERSION),
        signer=None,
        parts=(),
    )
    return write_container(sealed(manifest, parts, key))
