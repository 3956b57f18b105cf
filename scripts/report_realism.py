"""How real a simulated day looks: the box beside measurements of a greenhouse and of a pot, as a table and plots.

The real files are evaluation data and lie outside the project; where their folder is absent nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from realism_boxes import greenhouse_days, pot_dry_down

ROOT = Path(__file__).resolve().parent.parent
WITHIN = 1.5  # the factor that a statistic of a healthy day may be off
_GREENHOUSE = Path("greenhouse_climate") / "Koala_GreenhouseClimate.csv"
_POT = Path("watering_pot") / "moisture.csv"
_DRY_DOWNS = (("2020-08-06 12:30", "2020-08-11 04:00"), ("2020-08-11 13:00", "2020-08-15 23:00"))
_REPORT = """# How real a simulated day looks

Made by `make report-realism`. A greenhouse compartment (`greenhouse_climate`, six weeks of winter, 5 min) and
the dry-downs of a pot outdoors (`watering_pot`, 20 min) beside boxes that are built and run like them
(`scripts/realism_boxes.py`).

No measured value goes into a box: its weather is synthetic, by place and season. Hours of lamps and set-points
are those that the greenhouse's record shows; heat transfer, glass, vents and crop were chosen within what such
greenhouses have until days looked alike, on these same data: the table says that the physics can look like a
real place, not that it predicts one. Air and soil are seen through the box's own sensors (DHT22, seesaw). Soil
counts are turned the same way round and rescaled to the same span (the first and the last six hours), for the
probes differ.

{within} of {count} statistics lie within a factor of {factor:g}. Outside:

{outside}

| quantity | statistic | real | simulated | ratio |
| --- | --- | --- | --- | --- |
{rows}

Spread and range are medians over days; noise is the spread about a running median of five samples.
Autocorrelation is close to 1 for anything that changes slowly, so `change per step` stands beside it.

{plots}
"""
_WINDOW = 5  # samples of the running median that noise is counted from


@dataclass(frozen=True, slots=True)
class Pair:
    """One quantity, measured and simulated, at equal steps."""

    name: str
    unit: str
    real: pd.Series
    simulated: pd.Series


def main(argv: list[str] | None = None) -> int:
    """Write the report and return the exit code; 0 also where there is no data to compare with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "data", type=Path, nargs="?", default=ROOT.parent / "shared" / "data", help="folder of real data"
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "notes" / "realism", help="where to write")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(argv)
    missing = [str(chosen.data / name) for name in (_GREENHOUSE, _POT) if not (chosen.data / name).is_file()]
    if missing:
        print(f"skipped: there is no {' and no '.join(missing)}")
        return 0
    pairs = [*greenhouse_pairs(chosen.data / _GREENHOUSE, chosen.seed), *pot_pairs(chosen.data / _POT, chosen.seed)]
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        plot(pair, chosen.folder / f"{_file_name(pair)}.png")
    text = report(pairs)
    (chosen.folder / "README.md").write_text(text, "utf-8")
    print(text)
    return 0


def greenhouse_pairs(path: Path, seed: int) -> list[Pair]:
    """Return air and light of the measured compartment beside those of a box built and run like it."""
    table = pd.read_csv(path, parse_dates=["Date"], date_format="%m/%d/%Y %H:%M").set_index("Date")
    table = table[~table.index.duplicated()][["Tair", "Rhair", "PARin"]].astype(float)
    real = table.resample("5min").mean().interpolate(limit=3)
    made = greenhouse_days(real.index[0].to_pydatetime(), days=(real.index[-1] - real.index[0]).days, seed=seed)
    names = (("Tair", "air temperature", "degC"), ("Rhair", "relative humidity", "%"), ("PARin", "light", "umol/m2/s"))
    return [
        Pair(f"greenhouse: {name}", unit, real[column].iloc[: len(made)], _series(made, index, real.index))
        for index, (column, name, unit) in enumerate(names)
    ]


def pot_pairs(path: Path, seed: int) -> list[Pair]:
    """Return each dry-down of the measured pot beside one of a simulated pot, both rescaled to the same span."""
    table = pd.read_csv(path, parse_dates=["local_time"]).set_index("local_time")
    found = []
    for number, (since, until) in enumerate(_DRY_DOWNS, 1):
        real = -table.raw_adc[since:until].astype(float).resample("20min").mean().interpolate(limit=3)
        made = pot_dry_down(real.index[0].to_pydatetime(), len(real), seed=seed + number)
        simulated = pd.Series(made, index=real.index)
        found.append(Pair(f"pot: soil, dry-down {number}", "of the span", _rescaled(real), _rescaled(simulated)))
    return found


def statistics(series: pd.Series) -> dict[str, float]:
    """Return what is compared: medians over days of spread and range, noise, and lag-1 autocorrelation.

    Noise is the spread about a running median of five samples. `change` is the spread of the steps between samples.
    """
    days = series.groupby(series.index.date)
    whole = [day for _date, day in days if len(day) > 0.9 * max(len(other) for _name, other in days)]
    centred = series - series.rolling(_WINDOW, center=True).median()
    return {
        "spread": float(pd.Series([day.std() for day in whole]).median()),
        "daily range": float(pd.Series([day.max() - day.min() for day in whole]).median()),
        "noise": float(centred.std()),
        "change per step": float(series.diff().std()),
        "lag-1 autocorrelation": float(series.autocorr(1)),
    }


def report(pairs: list[Pair]) -> str:
    """Return the report as Markdown."""
    rows, outside, count = [], [], 0
    for pair in pairs:
        real, simulated = statistics(pair.real), statistics(pair.simulated)
        for name, value in real.items():
            ratio = simulated[name] / value
            is_within = 1.0 / WITHIN <= ratio <= WITHIN
            count += 1
            mark = "" if is_within else " **outside**"
            rows.append(
                f"| {pair.name} ({pair.unit}) | {name} | {value:.4g} | {simulated[name]:.4g} | {ratio:.2f}{mark} |"
            )
            if not is_within:
                outside.append(f"- {pair.name}, {name}: {ratio:.2f} times the measured one")
    verdict = outside or ["- nothing"]
    plots = [f"![{pair.name}]({_file_name(pair)}.png)" for pair in pairs]
    return _REPORT.format(
        within=count - len(outside), count=count, factor=WITHIN, outside="\n".join(verdict), rows="\n".join(rows),
        plots="\n".join(plots),
    )  # fmt: skip


def plot(pair: Pair, path: Path) -> None:
    """Draw four days of each, the measured above the simulated, on one scale."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 1, figsize=(8.0, 3.6), sharex=True, sharey=True, layout="constrained")
    four_days = pair.real.index[0] + pd.Timedelta(days=10 if len(pair.real) > 4000 else 0)
    until = four_days + pd.Timedelta(days=5)
    for axis, series, words, colour in (
        (axes[0], pair.real, "measured", "#2f63c4"),
        (axes[1], pair.simulated, "simulated", "#2b8a4b"),
    ):
        axis.plot(series[four_days:until], color=colour, linewidth=0.9)
        axis.set_ylabel(words)
        axis.grid(visible=True, color="#dddddd", linewidth=0.6)
        axis.xaxis.set_major_formatter(mpl.dates.DateFormatter("%d %b"))
    axes[0].set_title(f"{pair.name} ({pair.unit})", fontsize=10)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _series(made: list[tuple[float, ...]], column: int, index: pd.Index) -> pd.Series:
    return pd.Series([row[column] for row in made], index=index[: len(made)])


def _rescaled(series: pd.Series) -> pd.Series:
    first, last = series.iloc[:18].mean(), series.iloc[-18:].mean()
    return (series - last) / (first - last)


def _file_name(pair: Pair) -> str:
    return "".join(c if c.isalnum() else "_" for c in pair.name).replace("__", "_")


if __name__ == "__main__":
    sys.exit(main())
