"""R41, R42 and R52 to R55: what people do around a battery, and its life from registration to waste. Pure."""

from typing import Final

from msgspec.structs import replace

from projections.rules.history import DAY, History, Sample, median
from projections.rules.model import NOTHING, Hit, Outcome, Values
from projections.rules.passport import Passport
from projections.rules.thresholds import Thresholds

ENDED: Final = frozenset(("waste", "recycled"))
"""Passport statuses after which a battery has no readings any more."""


def embellished_for_sale(history: History, sample: Sample, _: Passport, thresholds: Thresholds) -> Outcome:
    """R41. Asked of the first reading after a sale."""
    sold, soh, last, t = history.sold_at, sample.reading.soh_bp, history.last, thresholds
    if sold is None or soh is None or last is None or last.reading.soh_bp is None:
        return None
    if last.slot > sold or sample.slot <= sold or sold - last.slot > t.sale_days * DAY:
        return NOTHING
    earlier = median([each.reading.soh_bp for each in history.recent[:-1] if each.reading.soh_bp is not None])
    if earlier is None:
        return None
    shown = last.reading.soh_bp
    reverts = shown - earlier > t.sale_soh_bp and 2 * soh <= shown + earlier
    values: Values = {"before_bp": earlier, "at_sale_bp": shown, "after_bp": soh, "sold_at": sold}
    return (Hit("high", values),) if reverts else NOTHING


def farming(history: History, sample: Sample, _: Passport, thresholds: Thresholds) -> Outcome:
    """R42."""
    if not history.times:
        return None
    seconds = sample.slot - history.times[-1]
    today = 1 + sum(sample.slot - slot < DAY for slot in history.times)
    if 0 <= seconds < thresholds.min_interval_seconds or today >= thresholds.burst_readings:
        return (Hit("warning", {"seconds": seconds, "in_24_hours": today}),)
    return NOTHING


def after_the_end(_: History, __: Sample, passport: Passport, ___: Thresholds) -> Outcome:
    """R52."""
    if passport.status is None:
        return None
    status = passport.status.strip().lower()
    return (Hit("high", {"status": status}),) if status in ENDED else NOTHING


def replaced(history: History, sample: Sample, _: Passport, thresholds: Thresholds) -> Outcome:
    """R53."""
    soh = sample.reading.soh_bp
    before = history.soh_reference_bp
    new_key = before is None and history.soh_before_bp is not None
    if new_key:
        before = history.soh_before_bp
    if soh is None or before is None:
        return None
    reset = opens_epoch(history, sample, thresholds)
    if not (new_key and soh - before > thresholds.replacement_jump_bp) and not reset:
        return NOTHING
    return (Hit("info", {"soh_bp": soh, "before_bp": before, "new_key": new_key, "cycle_reset": reset}),)


def opens_epoch(history: History, sample: Sample, thresholds: Thresholds) -> bool:
    """Whether under the same key another battery seems to speak: SoH jumps up and the cycles begin anew."""
    soh, reference = sample.reading.soh_bp, history.soh_reference_bp
    cycles, last = sample.reading.cycle_count, history.last
    if soh is None or reference is None or cycles is None or last is None or last.reading.cycle_count is None:
        return False
    return soh - reference > thresholds.replacement_jump_bp and cycles < last.reading.cycle_count


def silent(history: History, sample: Sample, _: Passport, thresholds: Thresholds) -> Outcome:
    """R54. Seen when it speaks again; ``seconds_silent`` says it before."""
    if history.last is None:
        return None
    seconds = sample.slot - history.last.slot
    return (Hit("info", {"seconds": seconds}),) if seconds > thresholds.silent_days * DAY else NOTHING


def seconds_silent(history: History, now: int, passport: Passport, thresholds: Thresholds) -> int | None:
    """How long an active battery has had no reading, at the slot ``now``; None where that is nothing to report."""
    if history.last is None or (passport.status or "").strip().lower() in ENDED:
        return None
    seconds = now - history.last.slot
    return seconds if seconds > thresholds.silent_days * DAY else None


def passport_off(history: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> Outcome:
    """R55."""
    soh, since = sample.reading.soh_bp, history.passport_off_since
    if soh is None or passport.soh_bp is None:
        return None
    off = abs(soh - passport.soh_bp)
    if off <= thresholds.passport_soh_bp or since is None or sample.slot - since <= thresholds.passport_soh_days * DAY:
        return NOTHING
    return (Hit("warning", {"soh_bp": soh, "passport_bp": passport.soh_bp, "since": since}),)


def beside_passport(history: History, sample: Sample, passport: Passport, thresholds: Thresholds) -> History:
    """Remembers since when reading and passport disagree; an update of the passport ends it."""
    soh = sample.reading.soh_bp
    if soh is None or passport.soh_bp is None or abs(soh - passport.soh_bp) <= thresholds.passport_soh_bp:
        return history if history.passport_off_since is None else replace(history, passport_off_since=None)
    return replace(history, passport_off_since=sample.slot) if history.passport_off_since is None else history
