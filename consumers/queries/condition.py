"""Queries about the condition of batteries and models: 1 to 3 and 12 to 14, as data."""

from typing import Final

from consumers.queries.model import Chart, Parameter, Query
from consumers.queries.vocabulary import (
    ACCEPTED,
    BATTERY,
    FLEET,
    LEAST_BATTERIES,
    LIMIT,
    SURVIVORS,
    column,
    integers,
    named,
    percent,
    percents,
    points,
    slots,
)

_BATTERY: Final = named("deployment", "manufacturer", "model", "battery", "battery_key")
_MODEL: Final = named("deployment", "manufacturer", "model")

CONDITION: Final = (
    Query(
        number=1,
        name="below-floor",
        title="Batteries below the Euro 7 floor",
        meaning="Which batteries showed a state of health below the least that Euro 7 lets a car's battery have at its "
        "age? 80 % up to five years, 72 % up to eight. The limit by distance is not assessed: no reading tells it.",
        audience="surveillance",
        parameters=(
            *FLEET,
            BATTERY,
            percent("floor_young", 80, "least state of health up to 5 years"),
            percent("floor_old", 72, "least state of health from 5 to 8 years"),
            Parameter(
                name="only_where_it_applies",
                kind="boolean",
                default=False,
                meaning="only cars (category ev) whose state of health is that of certified energy (soce)",
            ),
            LIMIT,
        ),
        columns=(
            *_BATTERY,
            column("category", "text", "model", "as the passport says, such as ev, lmt or industrial"),
            column("soh_kind", "text", "model", "what the state of health measures: capacity or soce"),
            column("floor_applies", "boolean", "model", "whether the law's floor is about such a battery"),
            *integers("condition", readings_below="accepted readings below the floor"),
            *percents("condition", least_soh="the least of them", floor="the floor at that age"),
            column("age_years", "number", "condition", "age since registration at that reading", "years"),
            *slots("condition", first_slot="of the first reading below"),
            column("first_time", "time", "condition", "of the first reading below", "UTC"),
            *slots("condition", last_slot="of the last reading below"),
        ),
        needs=("identity", "condition"),
        reads=("accepted", "fleet"),
        chart=Chart(kind="scatter", x="age_years", y=("least_soh",), by="model"),
        notes=(ACCEPTED, "Age counts from the registration of the passport: the chain knows no earlier date."),
    ),
    Query(
        number=2,
        name="soh-by-cycles",
        title="State of health by cycles",
        meaning="How healthy are the batteries of a model as they age? Readings of a model are put in order of the "
        "battery's cycles and cut into ten equal parts; each part shows how its states of health are spread.",
        audience="surveillance",
        parameters=(*FLEET, LEAST_BATTERIES, LIMIT),
        columns=(
            *_MODEL,
            *integers("statistic", decile="1 has the fewest cycles, 10 the most", cycles_from="", cycles_to=""),
            *integers("statistic", readings="n: accepted readings", batteries="that they are of"),
            *percents(
                "statistic",
                least_soh="the least",
                p05_soh="5 % of readings are at or below",
                p25_soh="a quarter is at or below",
                median_soh="half is at or below",
                p75_soh="three quarters are at or below",
                p95_soh="95 % are at or below",
                greatest_soh="the greatest",
            ),
        ),
        needs=("statistic",),
        reads=("measured", "fleet"),
        chart=Chart(kind="range", x="cycles_to", y=("p05_soh", "p25_soh", "median_soh", "p75_soh", "p95_soh"), by="model"),
        notes=(SURVIVORS, ACCEPTED),
    ),
    Query(
        number=3,
        name="fast-fading",
        title="Batteries that fade faster than their model",
        meaning="Which batteries lose health faster than 95 % of their model? The loss is the slope of a straight line "
        "through a battery's accepted readings.",
        audience="surveillance",
        parameters=(
            *FLEET,
            Parameter(
                name="by", kind="choice", choices=("cycles", "years"), default="cycles", meaning="what the loss is counted by"
            ),
            Parameter(
                name="percentile",
                kind="number",
                default=95,
                least=50,
                greatest=100,
                unit="%",
                meaning="of the model's batteries that fade less",
            ),
            Parameter(
                name="least_readings",
                kind="integer",
                default=5,
                least=3,
                greatest=1_000_000,
                unit="readings",
                meaning="leave out batteries with fewer: their slope is noise",
            ),
            LEAST_BATTERIES,
            LIMIT,
        ),
        columns=(
            *_BATTERY,
            *integers("condition", readings="accepted readings", cycles="greatest cycle count"),
            *percents("condition", last_soh="at the last reading"),
            *slots("condition", last_slot="of the last reading"),
            *points(
                "condition",
                fade_per_100_cycles="loss of health in 100 cycles",
                fade_per_year="loss of health in a year",
                model_fade="the model's percentile, by what was asked",
            ),
            *integers("statistic", model_batteries="batteries of the model that were compared"),
        ),
        needs=("identity", "condition"),
        reads=("measured", "fleet"),
        chart=Chart(kind="bar", x="battery", y=("fade_per_100_cycles",), by="model"),
        notes=(SURVIVORS, ACCEPTED),
    ),
    Query(
        number=12,
        name="temperature-outliers",
        title="Temperatures beyond the limits",
        meaning="Which models are run too hot or too cold, and in which months?",
        audience="surveillance",
        parameters=(
            *FLEET,
            Parameter(
                name="above", kind="integer", default=60, least=-273, greatest=1_000, unit="°C", meaning="hotter is outside"
            ),
            Parameter(
                name="below", kind="integer", default=-20, least=-273, greatest=1_000, unit="°C", meaning="colder is outside"
            ),
            LEAST_BATTERIES,
            LIMIT,
        ),
        columns=(
            *named("month", "deployment", "manufacturer", "model"),
            *integers(
                "statistic",
                readings="accepted readings that tell a temperature",
                above="of them hotter than the limit",
                below="of them colder than the limit",
            ),
            *percents("statistic", share="of readings outside"),
            *integers("statistic", batteries_outside="batteries of which one was outside", batteries="batteries in all"),
            column("hottest", "integer", "statistic", "greatest of all", "°C"),
            column("coldest", "integer", "statistic", "least of all", "°C"),
        ),
        needs=("statistic",),
        reads=("accepted", "fleet"),
        chart=Chart(kind="line", x="month", y=("share",), by="model"),
        notes=(ACCEPTED, "A reading tells the temperatures at one moment: hours above a limit are not in it."),
    ),
    Query(
        number=13,
        name="knees",
        title="Batteries that bend early",
        meaning="Which batteries began to lose health much faster than before (a knee) while they still had more than "
        "80 %? That is often the beginning of their end, and early it is a fault. By rule R25.",
        audience="surveillance",
        parameters=(*FLEET, BATTERY, percent("above", 80, "only knees at a state of health above this"), LIMIT),
        columns=(
            *_BATTERY,
            *named("slot", "time"),
            *percents("condition", soh="when the knee was seen"),
            *integers("condition", cycles="when the knee was seen"),
            *points(
                "condition",
                early_fade="loss in 100 cycles, first half",
                late_fade="loss in 100 cycles, second half",
                model_fade="typical of the model or chemistry",
            ),
            *named("rule_version", "transaction"),
        ),
        needs=("identity", "condition"),
        reads=("findings", "readings", "fleet"),
        chart=Chart(kind="scatter", x="cycles", y=("soh",), by="model"),
    ),
    Query(
        number=14,
        name="soh-increases",
        title="Models whose health rises too often",
        meaning="A battery does not get better. In which models does the state of health rise from one reading to the "
        "next far more often than in the fleet? Either the gauge is recalibrated, or somebody touches the numbers.",
        audience="surveillance",
        parameters=(
            *FLEET,
            percent("tolerance", 2, "a smaller rise is noise of the gauge", "percentage points"),
            percent("times", 3, "abnormal: so many times as often as in the fleet, over 30 readings or more", "times"),
            LEAST_BATTERIES,
            LIMIT,
        ),
        columns=(
            *_MODEL,
            *integers(
                "statistic",
                batteries="batteries compared",
                moves="pairs of neighbouring readings under one key",
                increases="of them with a rise above the tolerance",
                batteries_rising="batteries that they are of",
            ),
            *percents("statistic", share="of pairs with such a rise"),
            *points("statistic", greatest="the greatest rise"),
            *percents("statistic", fleet_share="the same share of the deployment's whole fleet"),
            column("abnormal", "boolean", "statistic", "whether it stands out"),
        ),
        needs=("statistic",),
        reads=("measured", "fleet"),
        chart=Chart(kind="bar", x="model", y=("share", "fleet_share")),
        notes=(SURVIVORS, ACCEPTED),
    ),
)
