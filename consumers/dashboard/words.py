"""How numbers, times and hashes are written on every page."""

from datetime import UTC, datetime


def utc(moment: datetime | str | None) -> str:
    """A time as ``2026-11-25 23:44:03``; the page says UTC beside it."""
    if moment is None:
        return "-"
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    """How long, in the two greatest units: ``3 d 4 h``, ``2 min 5 s``."""
    whole = int(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next((at for at, (count, _) in enumerate(parts) if count), len(parts) - 1)
    shown = [f"{count} {unit}" for count, unit in parts[first : first + 2] if count]
    return " ".join(shown) or "0 s"


def short(text: str, digits: int = 10) -> str:
    """The beginning of a hash; the whole of what is no longer."""
    return text if len(text) <= digits + 2 else text[:digits] + "…"
