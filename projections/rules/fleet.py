"""R11, R31 and R36 to R40: sets of batteries at one moment. Pure functions that a scheduled query feeds.

Each returns its findings by subject: a battery, a key or a submitter. What a model's distribution says needs enough
batteries; without them there is nothing to compare with, and nothing is found.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from projections.rules.history import DAY, Point, median
from projections.rules.model import Hit
from projections.rules.thresholds import Thresholds

DECILES: Final = 10
AGE_BAND_SECONDS: Final = 31_557_600
MAD_TENTHS: Final = 6_745
"""0.6745, by which a median absolute deviation becomes a standard deviation (Iglewicz and Hoaglin), times 10,000."""

Hits = dict[str, tuple[Hit, ...]]


class Trajectory(Struct, frozen=True, kw_only=True):
    """A battery's course as fleet rules see it."""

    battery: str
    model: str
    age_seconds: int
    points: tuple[Point, ...]  # accepted readings, oldest first
    tuples: frozenset[tuple[int, int, int]] = frozenset()  # SoH (bp), cycles, throughput (Wh) of its readings


class Committed(Struct, frozen=True, kw_only=True):
    """A commitment: who asked for which battery, when, and whether it expired."""

    submitter: str
    battery: str
    slot: int
    expired: bool = False


def shared_keys(registrations: Iterable[tuple[str, str]]) -> Hits:
    """R11. ``registrations``: public key and battery, of every passport that ever named the key."""
    batteries: dict[str, set[str]] = defaultdict(set)
    for key, battery in registrations:
        batteries[key].add(battery)
    return {k: (Hit("critical", {"batteries": sorted(b)}),) for k, b in sorted(batteries.items()) if len(b) > 1}


def below_model_floor(fleet: Iterable[Trajectory], thresholds: Thresholds) -> Hits:
    """R31. The newest point of each battery, against its model's at the same decile of cycles."""
    found: Hits = {}
    for members in _by_model(fleet).values():
        cycles = sorted(each.points[-1].cycles for each in members)
        groups: dict[int, list[Trajectory]] = defaultdict(list)
        for each in members:
            groups[_decile(cycles, each.points[-1].cycles)].append(each)
        for decile, group in groups.items():
            if len(group) < thresholds.fleet_batteries:
                continue
            # The first percentile; of a few the lowest would always be below it, so it must be far off as well.
            ordered = sorted(each.points[-1].soh_bp for each in group)
            far = ordered[len(ordered) // 2] - 3 * max(_mad(ordered) or 0, 1)
            floor = min(ordered[max(1, len(group) // 100)], far)
            for each in group:
                if each.points[-1].soh_bp < floor:
                    values = {"soh_bp": each.points[-1].soh_bp, "floor_bp": floor, "decile": decile, "n": len(group)}
                    found[each.battery] = (Hit("warning", values),)
    return found


def unlike_the_others(fleet: Iterable[Trajectory], thresholds: Thresholds) -> Hits:
    """R36. The fade of each battery, against those of its model and age."""
    bands: dict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
    for each in fleet:
        fade = _fade(each.points)
        if fade is not None:
            bands[each.model, each.age_seconds // AGE_BAND_SECONDS].append((each.battery, fade))
    found: Hits = {}
    for members in bands.values():
        if len(members) < thresholds.fleet_batteries:
            continue
        fades = [fade for _, fade in members]
        middle, spread = median(fades) or 0, _mad(fades)
        if not spread:
            continue
        for battery, fade in members:
            tenths = MAD_TENTHS * abs(fade - middle) // (1_000 * spread)
            if tenths > thresholds.fade_z_warning_tenths:
                severity = "high" if tenths > thresholds.fade_z_high_tenths else "warning"
                values = {"fade": fade, "median": middle, "mad": spread, "z_tenths": tenths, "n": len(members)}
                found[battery] = (Hit("high" if severity == "high" else "warning", values),)
    return found


def near_duplicates(fleet: Iterable[Trajectory], thresholds: Thresholds) -> Hits:
    """R37. Pairs with as many equal tuples; values of new batteries, which have moved nothing yet, are left out."""
    owners: dict[tuple[int, int, int], list[str]] = defaultdict(list)
    for each in fleet:
        for values in each.tuples:
            if values[1] > 0 and values[2] > 0:
                owners[values].append(each.battery)
    pairs: dict[tuple[str, str], int] = defaultdict(int)
    for batteries in owners.values():
        # A tuple that very many share is a default, not a copy, and would cost its square.
        for one, other in _pairs(sorted(batteries)[:DECILES]):
            pairs[one, other] += 1
    found: dict[str, list[Hit]] = defaultdict(list)
    for (one, other), equal in sorted(pairs.items()):
        if equal >= thresholds.equal_tuples:
            found[one].append(Hit("high", {"other": other, "equal_tuples": equal}))
            found[other].append(Hit("high", {"other": one, "equal_tuples": equal}))
    return {battery: tuple(hits) for battery, hits in found.items()}


def shared_submitters(
    commitments: Iterable[Committed], thresholds: Thresholds, allowed: frozenset[str] = frozenset()
) -> Hits:
    """R38. ``allowed`` are fleets that may."""
    by_submitter: dict[str, list[Committed]] = defaultdict(list)
    for each in commitments:
        if each.submitter not in allowed:
            by_submitter[each.submitter].append(each)
    found: Hits = {}
    for submitter, made in sorted(by_submitter.items()):
        most = _most_in_a_day(sorted((each.slot, each.battery) for each in made))
        if most > thresholds.submitter_batteries:
            found[submitter] = (Hit("warning", {"batteries_in_24_hours": most}),)
    return found


def rings(commitments: Iterable[Committed], thresholds: Thresholds) -> Hits:
    """R39. Connected groups of submitters and batteries in which most have dealt with most within a day.

    Over years, everybody who ever owned one of the batteries would thin the group out. Days are cut twice, at midnight
    and at noon, so that no cut hides a group. By each group's first submitter.
    """
    found: Hits = {}
    days: dict[tuple[int, int], list[Committed]] = defaultdict(list)
    for each in commitments:
        days[0, each.slot // DAY].append(each)
        days[1, (each.slot + DAY // 2) // DAY].append(each)
    for _, of_day in sorted(days.items()):
        for submitter, hits in _rings_of(of_day, thresholds).items():
            found.setdefault(submitter, hits)
    return found


def _rings_of(commitments: Iterable[Committed], thresholds: Thresholds) -> Hits:
    edges = {(each.submitter, each.battery) for each in commitments}
    neighbours: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for submitter, battery in edges:
        neighbours["submitter", submitter].add(("battery", battery))
        neighbours["battery", battery].add(("submitter", submitter))
    found: Hits = {}
    unseen = set(neighbours)
    for start in sorted(neighbours):
        if start not in unseen:
            continue
        group, waiting = {start}, [start]
        while waiting:
            new = neighbours[waiting.pop()] - group
            group |= new
            waiting += new
        unseen -= group
        submitters = sorted(name for kind, name in group if kind == "submitter")
        batteries = sorted(name for kind, name in group if kind == "battery")
        inside = sum(len(neighbours["submitter", name]) for name in submitters)
        dense = inside * 100 > thresholds.ring_density_percent * len(submitters) * len(batteries)
        large = len(submitters) >= thresholds.ring_submitters and len(batteries) >= thresholds.ring_batteries
        if dense and large:
            values = {"submitters": submitters, "batteries": batteries, "pairs": inside}
            found[submitters[0]] = (Hit("warning", values),)
    return found


def cherry_pickers(gaps: Iterable[tuple[str, str, int]], thresholds: Thresholds) -> Hits:
    """R40. ``gaps``: submitter, model and the counter's step, of each reading."""
    of_model: dict[str, list[int]] = defaultdict(list)
    of_submitter: dict[tuple[str, str], list[int]] = defaultdict(list)
    for submitter, model, gap in gaps:
        of_model[model].append(gap)
        of_submitter[submitter, model].append(gap)
    found: Hits = {}
    for (submitter, model), own in sorted(of_submitter.items()):
        typical, mine = median(of_model[model]), median(own)
        enough = len(own) >= thresholds.expired_share_of and len(of_model[model]) >= thresholds.fleet_batteries
        if enough and typical is not None and mine is not None and mine > thresholds.cherry_times_median * typical:
            found[submitter] = (Hit("warning", {"model": model, "median_gap": mine, "model_median": typical}),)
    return found


def expired_share(commitments: Iterable[Committed], thresholds: Thresholds) -> Hits:
    """R43, of one submitter over all batteries."""
    counts: Mapping[str, list[int]] = defaultdict(lambda: [0, 0])
    for each in commitments:
        counts[each.submitter][0] += 1
        counts[each.submitter][1] += each.expired
    return {
        submitter: (Hit("warning", {"commitments": made, "expired": expired}),)
        for submitter, (made, expired) in sorted(counts.items())
        if made >= thresholds.expired_share_of and expired * 100 > thresholds.expired_share_percent * made
    }


def _by_model(fleet: Iterable[Trajectory]) -> dict[str, list[Trajectory]]:
    models: dict[str, list[Trajectory]] = defaultdict(list)
    for each in fleet:
        if each.points:
            models[each.model].append(each)
    return models


def _decile(ordered: Sequence[int], value: int) -> int:
    return min(DECILES * bisect_left(ordered, value) // len(ordered), DECILES - 1)


def _fade(points: Sequence[Point]) -> int | None:
    """Loss in bp per 1,000 cycles from the first reading to the last."""
    if len(points) < 2 or points[-1].cycles <= points[0].cycles:
        return None
    return (points[0].soh_bp - points[-1].soh_bp) * 1_000 // (points[-1].cycles - points[0].cycles)


def _mad(values: Sequence[int]) -> int | None:
    middle = median(values)
    return None if middle is None else median([abs(value - middle) for value in values])


def _pairs(names: Sequence[str]) -> Iterable[tuple[str, str]]:
    return ((one, other) for place, one in enumerate(names) for other in names[place + 1 :] if one != other)


def _most_in_a_day(made: Sequence[tuple[int, str]]) -> int:
    """The most batteries within any 24 hours; ``made`` is in order."""
    most, start = 0, 0
    inside: dict[str, int] = defaultdict(int)
    for slot, battery in made:
        inside[battery] += 1
        while slot - made[start][0] >= DAY:
            inside[made[start][1]] -= 1
            if not inside[made[start][1]]:
                del inside[made[start][1]]
            start += 1
        most = max(most, len(inside))
    return most
