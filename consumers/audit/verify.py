"""Verifies a pack without network, database or clock: says line by line what holds, what does not, and what can't be
known here. Pure.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b, sha256
from typing import Any, Final

from consumers.audit.answer import Answer, Line, answer, line
from consumers.audit.chart import timeline_svg
from consumers.audit.check_bytes import address_faults, datums, message_faults
from consumers.audit.check_log import log_lines
from consumers.audit.check_second import second_way
from consumers.audit.container import PackRefused, read_container
from consumers.audit.evidence import LOG_PARTS, Evidence, evidence_of
from consumers.audit.judged import READINGS, VERDICTS_PART, Story, battery_id_of, story_of, story_parts
from consumers.audit.manifest import MANIFEST, SEAL, Manifest, Seal, decoded, part_of
from consumers.audit.pack import REPORT_HTML, REPORT_PDF, TIMELINE, TRANSACTIONS
from consumers.audit.render import TYPST_VERSION, html, pdf
from consumers.audit.report import REPORT_VERSION, VERDICTS, Stands, battery_name, report_of
from consumers.audit.signature import signature_line
from indexer.protocol.cbor import Limits, Malformed, read, read_head
from projections.folding import FOLD_VERSION
from projections.verdicts.model import RULE_SET

BODY_LIMITS: Final = Limits(size=1 << 20, depth=64, items=200_000)
ARRAY: Final = 4  # CBOR's major type


def verify_pack(content: bytes, signer: str | None = None, root: str | None = None) -> Answer:
    """All lines about a pack.

    ``signer``: the Ed25519 key (hex) that must have signed it. ``root``: that of the log's tree at the pack's step, as
    somebody knows it from elsewhere. Never raises for what is in the file.
    """
    lines: list[Line] = []
    try:
        parts = read_container(content)
        lines.append(line("container", "The file is in the one byte form that a pack has", ()))
        manifest = _manifest(parts)
        lines += _whole(parts, manifest)
        seal = decoded(parts[SEAL], Seal, SEAL)
        lines.append(signature_line(parts[MANIFEST], manifest.signer, seal, signer))
        if _fails(lines):
            # What is not as it was sealed proves nothing, and need not be harmless to read.
            return answer([*lines, Line("rest", "unknown", "All else was not looked at: this is not what was sealed")])
        evidence = evidence_of(parts)
        lines += log_lines(evidence, manifest)
        if _fails(lines):
            return answer([*lines, Line("rest", "unknown", "All else was not looked at: these are no facts of a log")])
        lines.append(_anchor(manifest, root))
        story = story_of(evidence, manifest.subject)
    except PackRefused as refused:
        return answer([*lines, line(refused.code, "The pack can be read", [str(refused)])])
    lines += _content(parts, manifest, evidence, story)
    lines += _elsewhere()
    readings = tuple(
        {"slot": row.slot, "fact": row.fact, **{name: getattr(row, name) for name in VERDICTS}}
        for row in story.opinions.verdicts
    )
    return answer(lines, battery_name(manifest.subject), readings)


def _fails(lines: list[Line]) -> bool:
    return any(each.result == "fails" for each in lines)


def _manifest(parts: Mapping[str, bytes]) -> Manifest:
    for name in (MANIFEST, SEAL):
        if name not in parts:
            raise PackRefused("part_missing", f"the pack has no {name}")
    return decoded(parts[MANIFEST], Manifest, MANIFEST)


def _whole(parts: Mapping[str, bytes], manifest: Manifest) -> Iterator[Line]:
    listed = {part.name: part for part in manifest.parts}
    there = {name: content for name, content in parts.items() if name not in (MANIFEST, SEAL)}
    faults = [f"{name} is missing" for name in sorted(listed.keys() - there.keys())]
    faults += [f"{name} is no part that the manifest names" for name in sorted(there.keys() - listed.keys())]
    faults += [
        f"{name} was changed" for name in sorted(there) if name in listed and listed[name] != part_of(name, there[name])
    ]
    if [part.name for part in manifest.parts] != sorted(listed):
        faults.append("the manifest names parts twice, or not in their order")
    yield line(
        "parts", "Each part has the size and SHA-256 that the manifest says; none is missing, none was added", faults
    )
    seal = decoded(parts[SEAL], Seal, SEAL)
    same = seal.sha256 == sha256(parts[MANIFEST]).hexdigest()
    yield line("seal", "The manifest is the one that was sealed", () if same else ["the manifest was changed"])


def _anchor(manifest: Manifest, root: str | None) -> Line:
    words = f"The log's tree over {manifest.tree_size} steps has the root that was stated elsewhere"
    if root is None:
        return Line(
            "log_root",
            "unknown",
            f"Whether this is the log that the operator shows others: compare root {manifest.tree_root} of step "
            f"{manifest.step} with a statement made at that step, or ask a node of your own",
        )
    return line("log_root", words, () if root == manifest.tree_root else [f"the pack's is {manifest.tree_root}"])


def _content(parts: Mapping[str, bytes], manifest: Manifest, evidence: Evidence, story: Story) -> Iterator[Line]:
    yield line("messages", "Each reading's fields are what its signed message says", message_faults(story))
    said = datums(story)
    more = f"; {said.without_bytes} are known by hash only" if said.without_bytes else ""
    yield line("datums", f"{said.read} datums, read again, say what the facts say{more}", said.faults)
    yield line("addresses", "Each output's credential is that of its address", address_faults(story))
    yield from _derived(parts, manifest, story)
    yield from _second(story)
    yield _transactions(parts, story)
    yield from _report(parts, manifest, evidence, story)


def _derived(parts: Mapping[str, bytes], manifest: Manifest, story: Story) -> Iterator[Line]:
    subject, versions = manifest.subject, manifest.versions
    again = story_parts(story, subject)
    differing = [name for name in sorted(again) if parts.get(name) != again[name]]
    extra = sorted(name for name in parts if name.startswith(READINGS) and name not in again)
    of_facts = [f"{name} is not what follows from the facts" for name in differing if name != VERDICTS_PART]
    if battery_id_of(story) != subject.battery_id:
        of_facts.append("the manifest names another battery than the facts do")
    known = {*again, *LOG_PARTS, TIMELINE, REPORT_HTML, REPORT_PDF, MANIFEST, SEAL}
    stray = [name for name in sorted(parts) if name not in known and not name.startswith(TRANSACTIONS)]
    of_facts += [f"{name} is no part of such a pack" for name in sorted({*extra, *stray})]
    yield line("derived", "Keys by slot, blocks and messages are what follows from the facts", of_facts)
    words = "Each verdict and finding, its twelve checks and what they rest on, computed again, is the same"
    if (versions.rule_set, versions.fold) != (RULE_SET, FOLD_VERSION):
        yield Line(
            "verdicts",
            "unknown",
            f"The verdicts were made by rule set {versions.rule_set}, fold {versions.fold}; this version has "
            f"{RULE_SET}, {FOLD_VERSION}: verify with the version that made them",
        )
        return
    same = VERDICTS_PART not in differing
    yield line("verdicts", words, () if same else [f"{VERDICTS_PART} is not what follows from the facts"])


def _second(story: Story) -> Iterator[Line]:
    second = second_way(story)
    left = f"; {second.left_out} are no sound messages and were not put to it" if second.left_out else ""
    yield line(
        "signatures",
        f"A second implementation (pycose) agrees on {second.asked} signatures: {second.signed} are by the key{left}",
        second.signature_faults,
    )
    yield line("challenges", "A second walk agrees which commitment each reading answers", second.binding_faults)
    yield line("keys", "A second walk agrees which key the passport named when each reading came", second.key_faults)


def _transactions(parts: Mapping[str, bytes], story: Story) -> Line:
    mentioned = {fact.event.transaction for fact in story.facts}
    found = {name: parts[name] for name in sorted(parts) if name.startswith(TRANSACTIONS)}
    if not found:
        return Line(
            "transactions",
            "unknown",
            "Whether the transactions say this: the pack holds the parts that the log keeps, not whole transactions",
        )
    faults = []
    for name, content in found.items():
        named = name.removeprefix(TRANSACTIONS).removesuffix(".cbor")
        if named not in mentioned:
            faults.append(f"{name} is no transaction of these facts")
        elif transaction_id(content) != named:
            faults.append(f"{name} has the id {transaction_id(content) or 'of nothing: it is no transaction'}")
    words = f"{len(found)} of {len(mentioned)} transactions are here, and each has the id by which the facts name it"
    return line("transactions", words, faults)


def transaction_id(content: bytes) -> str | None:
    """Blake2b-256 of a transaction's body as it stands in the bytes; None where they are no transaction."""
    try:
        major, _, items, start = read_head(content, 0)
        if major != ARRAY or not items:
            return None
        length = read(content[start:], BODY_LIMITS).length
    except Malformed:
        return None
    return blake2b(content[start : start + length], digest_size=32).hexdigest()


def _report(parts: Mapping[str, bytes], manifest: Manifest, evidence: Evidence, story: Story) -> Iterator[Line]:
    words = "The report and its picture show what follows from the facts"
    versions = manifest.versions
    if (versions.report, versions.rule_set) != (REPORT_VERSION, RULE_SET):
        yield Line("report", "unknown", "The report was made by another version: read it with that in mind")
        return
    stands = Stands(manifest.step, manifest.step_digest, manifest.tree_root)
    report = report_of(manifest.subject, evidence, story, stands)
    again: dict[str, Any] = {TIMELINE: timeline_svg(story), REPORT_HTML: html(report)}
    if versions.typst == TYPST_VERSION:
        again[REPORT_PDF] = pdf(report)
    yield line(
        "report", words, [f"{name} shows something else" for name in sorted(again) if parts.get(name) != again[name]]
    )
    if REPORT_PDF not in again:
        yield Line("report_pdf", "unknown", f"The PDF was made by typst {versions.typst}, here is {TYPST_VERSION}")


def _elsewhere() -> Iterator[Line]:
    """What no file can prove of itself."""
    yield Line(
        "on_chain", "unknown", "Whether these blocks are on the chain: ask a node of your own, with --ogmios URL"
    )
    yield Line(
        "complete",
        "unknown",
        "Whether the chain says more of this battery than the pack: follow the chain yourself",
    )
    yield Line("when", "unknown", "When a reading was taken: the chain proves only when it was submitted")
