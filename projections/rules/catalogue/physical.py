"""R15 to R23: one reading by itself."""

from typing import Final

from projections.rules import physical
from projections.rules.model import Rule

PHYSICAL: Final = (
    Rule(
        id="R15",
        name="out of range",
        meaning="A value that no battery of this kind can have, or a temperature that it should not have.",
        inputs=("soh_bp", "soc_bp", "current_ma", "temp_min_c", "temp_max_c", "max_current_ma of the passport"),
        formula="SoH 0 to {soh_max_bp} bp, SoC 0 to {soc_max_bp} bp, {temp_hard_min_c} to {temp_hard_max_c} °C: high; "
        "{temp_soft_min_c} to {temp_soft_max_c} °C, |current| <= {current_percent_of_max} % of the greatest: warning",
        thresholds=(
            *("soh_max_bp", "soc_max_bp", "current_percent_of_max"),
            *("temp_hard_min_c", "temp_hard_max_c", "temp_soft_min_c", "temp_soft_max_c"),
        ),
        severities=("warning", "high"),
        source="DIN DKE SPEC 99100; new cells exceed their nominal capacity by 1 to 3 %",
        judge=physical.ranges,
    ),
    Rule(
        id="R16",
        name="coldest above warmest",
        meaning="The lowest temperature is above the highest.",
        inputs=("temp_min_c", "temp_max_c"),
        formula="temp_min_c > temp_max_c",
        severities=("high",),
        source="arithmetic",
        judge=physical.temperatures,
    ),
    Rule(
        id="R17",
        name="capacity against state of health",
        meaning="The capacity is not what state of health and nominal capacity make together. For a state of health by "
        "energy (SOCE) this says nothing, and is not assessed.",
        inputs=("full_charge_capacity_mah", "soh_bp", "nominal capacity", "soh_kind of the passport"),
        formula="|capacity - SoH x nominal| / nominal > {capacity_warning_bp} bp ({capacity_rounded_warning_bp} bp "
        "where SoH is a whole percentage): warning; > {capacity_high_bp} bp: high",
        thresholds=("capacity_warning_bp", "capacity_rounded_warning_bp", "capacity_high_bp"),
        severities=("warning", "high"),
        source="the published example is exact",
        judge=physical.capacity,
    ),
    Rule(
        id="R18",
        name="voltage out of range",
        meaning="The voltage is none that cells of this chemistry in this number can have.",
        inputs=("voltage_mv", "chemistry", "cells in series: nominal voltage of the passport or cell count"),
        formula="voltage / cells outside the chemistry's limits (or {cell_min_mv} to {cell_max_mv} mV, where not 0)",
        thresholds=("cell_min_mv", "cell_max_mv"),
        severities=("high",),
        source="data sheets: the table of chemistries below",
        judge=physical.voltage,
    ),
    Rule(
        id="R19",
        name="voltage against charge",
        meaning="At rest, the voltage tells another state of charge than the one that is claimed. Between 20 and "
        "80 % an LFP cell's voltage says nothing, and nothing is asked.",
        inputs=("voltage_mv", "soc_bp", "current_ma", "nominal capacity", "chemistry", "cells in series"),
        formula="at |current| < C / {rest_current_divisor}: LFP > {lfp_rest_max_mv} mV a cell below 20 %; NMC, NCA, "
        "LMO < {nickel_rest_min_mv} mV a cell above 80 %",
        thresholds=("rest_current_divisor", "lfp_rest_max_mv", "nickel_rest_min_mv"),
        severities=("warning",),
        source="curves of open-circuit voltage",
        judge=physical.voltage_and_charge,
    ),
    Rule(
        id="R20",
        name="cells against pack",
        meaning="The cells' voltages do not add up to the pack's.",
        inputs=("cell_voltages_mv", "voltage_mv"),
        formula="|sum - pack| / pack > {cell_sum_bp} bp",
        thresholds=("cell_sum_bp",),
        severities=("high",),
        source="arithmetic",
        judge=physical.cell_sum,
    ),
    Rule(
        id="R21",
        name="cells differ",
        meaning="The cells are far apart: one is weak, or the values are not measured.",
        inputs=("cell_voltages_mv", "soc_bp", "chemistry"),
        formula="greatest - least > {cell_spread_mv} mV ({cell_spread_lfp_end_mv} mV for LFP below 10 or above 90 %)",
        thresholds=("cell_spread_mv", "cell_spread_lfp_end_mv"),
        severities=("warning",),
        source="balanced packs",
        judge=physical.cell_spread,
    ),
    Rule(
        id="R22",
        name="null frame",
        meaning="The gauge sent zeros, or one filler everywhere. The reading is put aside and moves nothing.",
        inputs=("soh_bp", "voltage_mv", "temp_min_c", "temp_max_c"),
        formula="SoH, voltage and temperatures are 0, or all values are equal",
        severities=("quarantine",),
        source="zenfinity packs: 1 % of real records",
        judge=physical.null,
    ),
    Rule(
        id="R23",
        name="another number of cells",
        meaning="The battery has another number of cells than its passport says.",
        inputs=("cell_count", "cell_voltages_mv", "cell_count of the passport"),
        formula="the numbers differ",
        severities=("high",),
        source="passport",
        judge=physical.cell_count,
    ),
)
