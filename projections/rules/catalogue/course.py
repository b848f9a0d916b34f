"""R24 to R35: the course of one battery."""

from typing import Final

from projections.rules import fleet, trajectory
from projections.rules.model import Rule

TRAJECTORY: Final = (
    Rule(
        id="R24",
        name="state of health rises",
        meaning="The battery claims to be better than before. Gauges err and learn, so a little is normal; much, or "
        "twice in a row, wants a look.",
        inputs=("soh_bp", "reference", "cycle_count", "expected life"),
        formula="above the reference by > {soh_increase_info_bp} bp: info; > {soh_increase_warning_bp} bp: warning; > "
        "{soh_increase_high_bp} bp or two warnings in a row: high. Info at most in the first {quiet_readings} readings "
        "of a key and below {quiet_life_percent} % of the expected life",
        thresholds=(
            *("soh_increase_info_bp", "soh_increase_warning_bp", "soh_increase_high_bp"),
            *("quiet_readings", "quiet_life_percent", "life_cycles"),
        ),
        severities=("info", "warning", "high"),
        source="field data: 9 % of honest readings rise by more than 2 points against the median of five",
        judge=trajectory.increase,
    ),
    Rule(
        id="R25",
        name="knee",
        meaning="The battery has begun to age much faster than before, as cells do near their end.",
        inputs=("soh_bp", "cycle_count", "course of the epoch"),
        formula="fade of the later half > {knee_ratio} x that of the earlier, over >= {knee_readings} readings and 50 "
        "cycles in each half, and > 2 x the model's median",
        thresholds=("knee_ratio", "knee_readings", "fade_bp_per_100_cycles"),
        severities=("warning",),
        source="Attia 2022, Zhang 2024",
        judge=trajectory.knee,
    ),
    Rule(
        id="R26",
        name="state of health drops",
        meaning="The battery lost much in a short time: a cell failed, or the reading is not what it seems.",
        inputs=("soh_bp", "reference", "slot", "cycle_count"),
        formula="below the reference by > {soh_drop_warning_bp} bp within {soh_drop_days} days and {soh_drop_cycles} "
        "cycles: warning; > {soh_drop_high_bp} bp: high",
        thresholds=("soh_drop_warning_bp", "soh_drop_high_bp", "soh_drop_days", "soh_drop_cycles"),
        severities=("warning", "high"),
        source="99th percentile of laboratory series; for field packs",
        judge=trajectory.drop,
    ),
    Rule(
        id="R27",
        name="cycles go back",
        meaning="The battery claims fewer charge cycles than before: a reset, a replacement, or a rolled back meter.",
        inputs=("cycle_count", "reference"),
        formula="cycle_count < that of the last accepted reading",
        severities=("high",),
        source="protocol, check 9",
        judge=trajectory.cycles_back,
    ),
    Rule(
        id="R28",
        name="cycles too fast",
        meaning="More cycles than the time allows.",
        inputs=("cycle_count", "slot", "reference"),
        formula="delta of cycles - 1 > days x {cycles_per_day}",
        thresholds=("cycles_per_day",),
        severities=("warning",),
        source="physics: 1 / (1 / charge rate + 1 / discharge rate)",
        judge=trajectory.cycle_rate,
    ),
    Rule(
        id="R29",
        name="throughput",
        meaning="The energy that ever went through the battery has fallen, or has risen faster than its power allows.",
        inputs=("energy_throughput_wh", "slot", "reference", "max_power_w of the passport"),
        formula="delta < 0, or delta > greatest power x time x {power_percent} %",
        thresholds=("power_percent",),
        severities=("high",),
        source="physics",
        judge=trajectory.throughput,
    ),
    Rule(
        id="R30",
        name="throughput against cycles",
        meaning="Energy and cycles do not fit each other. Meters count partial charges and one way only, so the lower "
        "bound is wide.",
        inputs=("energy_throughput_wh", "cycle_count", "nominal capacity and voltage"),
        formula="> {throughput_max_percent} % of 2 x (cycles + 1) x nominal energy: high; < {throughput_min_percent} % "
        "of cycles x nominal energy: info",
        thresholds=("throughput_max_percent", "throughput_min_percent"),
        severities=("high", "info"),
        source="the published example has a ratio of 0.25",
        judge=trajectory.throughput_and_cycles,
    ),
    Rule(
        id="R31",
        name="below its model's floor",
        meaning="The battery is worse than nearly all of its model after as many cycles.",
        inputs=("newest readings of all batteries of the model",),
        formula="SoH < first percentile of the model at that decile of cycles, and 3 median deviations below the "
        "median, n >= {fleet_batteries}",
        thresholds=("fleet_batteries",),
        severities=("warning",),
        source="fleet",
        scope="fleet",
        judge=fleet.below_model_floor,
    ),
    Rule(
        id="R32",
        name="ages too fast by the calendar",
        meaning="The battery loses health far faster than fleets do in a year.",
        inputs=("soh_bp", "slot", "first five readings of the epoch", "reference"),
        formula="> {calendar_fade_bp_per_year} bp a year over >= {calendar_days} days",
        thresholds=("calendar_fade_bp_per_year", "calendar_days"),
        severities=("warning",),
        source="Geotab: fleets lose 2.3 points a year",
        judge=trajectory.calendar_fade,
    ),
    Rule(
        id="R33",
        name="Euro 7 floor",
        meaning="The battery of a car is below what the law asks for at its age.",
        inputs=("soh_bp", "soh_kind and category of the passport", "registration"),
        formula="SOCE < {floor_young_bp} bp up to 5 years, < {floor_old_bp} bp up to 8 years",
        thresholds=("floor_young_bp", "floor_old_bp"),
        severities=("info",),
        source="Regulation (EU) 2024/1257; a signal, not a verdict: the class by distance is not known here",
        judge=trajectory.euro_7,
    ),
    Rule(
        id="R34",
        name="frozen values",
        meaning="The counter goes on and the values stand still: the gauge is stuck, or somebody sends one reading "
        "again and again.",
        inputs=("all values", "counter", "reference"),
        formula="identical but for cycles and throughput in >= {frozen_readings} readings",
        thresholds=("frozen_readings",),
        severities=("warning",),
        source="stuck gauges",
        judge=trajectory.frozen,
    ),
    Rule(
        id="R35",
        name="invented digits",
        meaning="The last digits of the values are spread as people invent them, not as devices measure.",
        inputs=("soh_bp", "full_charge_capacity_mah", "the epoch's readings"),
        formula="chi-squared of the last digit > {digit_chi2} (p < 1e-4) at each {digit_readings}th reading; values "
        "that come in steps, so that more than two digits never do, are left out",
        thresholds=("digit_chi2", "digit_readings"),
        severities=("info",),
        source="fabrication",
        judge=trajectory.digits,
    ),
)
