"""Mutants of text tables: CSV, ERDDAP, SeaBASS, NOMAD, PANGAEA and AERONET."""

import datetime
import gzip
import random
from collections.abc import Callable
from pathlib import Path

from table_mutations.truth import Truth

Cells = dict[str, list[str]]
RRS_UNITS = {"sr-1": 1.0, "1/sr": 1.0, "sr^-1": 1.0, "sr**-1": 1.0, "%/sr": 100.0, "1/msr": 1e-3}
CHL_UNITS = {"mg m-3": 1.0, "mg/m^3": 1.0, "ug/l": 1.0, "µg l-1": 1.0, "g m-3": 1e-3, "kg/m3": 1e-6}
EMPTY = ("", "NaN", "nan", "NA", "N/A", "null", "None")
FILLS = ("-999", "-999.0", "-9999", "9.96921e36", "-32767", "1e20")


def numbers(values: tuple[float | None, ...], scale: float, missing: str) -> list[str]:
    return [missing if value is None else f"{value * scale:.9g}" for value in values]


def time_cells(times: tuple[datetime.datetime, ...], way: str) -> tuple[Cells, dict[str, str]]:
    """Columns with the times, and the units that their header states."""
    five = datetime.timedelta(hours=5)

    def column(form: str, shift: datetime.timedelta = datetime.timedelta(0)) -> list[str]:
        return [(time + shift).strftime(form) for time in times]

    days = [(time - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1) for time in times]
    ways: dict[str, tuple[Cells, dict[str, str]]] = {
        "iso": ({"datetime": column("%Y-%m-%dT%H:%M:%SZ")}, {}),
        "blank": ({"Time": column("%Y-%m-%d %H:%M")}, {}),
        "offset": ({"datetime": column("%Y-%m-%dT%H:%M:%S-05:00", -five)}, {}),
        "compact": ({"datetime": column("%Y%m%d%H%M%S")}, {}),
        "date_time": ({"date": column("%Y%m%d"), "time": column("%H:%M:%S")}, {}),
        "time_offset": (
            {"date": column("%Y-%m-%d", five), "time": column("%H:%M+05:00", five)},
            {},
        ),
        "hhmm": ({"date": column("%Y%m%d"), "time": column("%H%M")}, {}),
        "hhmm_units": ({"date": column("%Y%m%d"), "time": column("%H%M")}, {"time": "hhmm"}),
        "day_first": ({"date": column("%d/%m/%Y"), "time": column("%H:%M")}, {}),
        "day_first_units": (
            {"date": column("%d-%m-%Y"), "time": column("%H:%M")},
            {"date": "dd-mm-yyyy"},
        ),
        "date_hour": (
            {"date": column("%Y%m%d"), "hour": column("%H"), "minute": column("%M")},
            {},
        ),
        "sdy": (
            {
                "year": column("%Y"),
                "sdy": column("%j"),
                "hour": column("%H"),
                "minute": column("%M"),
            },
            {},
        ),
        "parts": (
            {n: column(f) for n, f in (("year", "%Y"), ("month", "%m"), ("day", "%d"))}
            | {"hour": column("%H"), "minute": column("%M")},
            {},
        ),
        "serial": ({"time": [f"{day:.9f}" for day in days]}, {}),
        "serial_units": (
            {"time": [f"{day:.9f}" for day in days]},
            {"time": "days since 1970-01-01"},
        ),
        "decimal_day": ({"year": column("%Y"), "sdy": [f"{float(d) % 365:.6f}" for d in days]}, {}),
    }
    return ways[way]


WAYS = (
    *("iso", "blank", "offset", "compact", "date_time", "time_offset", "hhmm", "hhmm_units"),
    *("day_first", "day_first_units", "date_hour", "sdy", "parts", "serial", "serial_units"),
    "decimal_day",
)


def _columns(truth: Truth, draw: random.Random, missing: str) -> tuple[Cells, dict[str, str]]:
    """Columns in a random order and their units; sometimes a name is there twice."""
    rrs, chl = draw.choice(list(RRS_UNITS)), draw.choice(list(CHL_UNITS))
    way = draw.choice(WAYS) if draw.random() < 0.6 else "iso"
    times, units = time_cells(truth.times, way)
    cells = {
        "station": [f"s{row}" for row in range(len(truth.times))],
        "lat": [f"{49 + row / 10:.2f}" for row in range(len(truth.times))],
        "Rrs_443": numbers(truth.rrs, RRS_UNITS[rrs], missing),
        "chl": numbers(truth.chl, CHL_UNITS[chl], missing),
        **times,
    }
    order = draw.sample(list(cells), len(cells))
    return {n: cells[n] for n in order}, units | {"lat": "degrees", "Rrs_443": rrs, "chl": chl}


def _rows(cells: Cells, delimiter: str) -> list[str]:
    return [delimiter.join(row) for row in zip(*cells.values(), strict=True)]


def _twice(draw: random.Random, names: list[str], rows: list[str], delimiter: str) -> None:
    """Sometimes add a column whose name is there already."""
    if draw.random() < 0.2:
        names.append(draw.choice(["station", "chl", "Rrs_443", "x"]))
        rows[:] = [f"{row}{delimiter}7" for row in rows]


def csv(truth: Truth, draw: random.Random, path: Path) -> None:
    missing, declared = draw.choice([*EMPTY, *FILLS]), draw.random() < 0.5
    delimiter = draw.choice([",", ";", "\t"])
    cells, units = _columns(truth, draw, missing)
    # Units that a header does not state cannot be known, so then they are the usual ones.
    place = draw.choice(["brackets", "parentheses", "comment", "named", "row"])
    names, rows, comments = list(cells), _rows(cells, delimiter), []
    own = [units.get(name, "") for name in names]
    match place:
        case "brackets":
            titles = [f"{n} [{u}]" if u else n for n, u in zip(names, own, strict=True)]
        case "parentheses":
            titles = [f"{n} ({u})" if u else n for n, u in zip(names, own, strict=True)]
        case _:
            titles = names
    if place == "named":
        comments.append("# units: " + ", ".join(f"{n} [{u}]" for n, u in units.items()))
    if place == "comment":
        comments.append("#/units=" + ",".join(u or "none" for u in own))
    if place == "row":
        rows.insert(0, delimiter.join(own))
    elif place != "comment":
        _twice(draw, titles, rows, delimiter)
    if missing in FILLS and declared:
        key = draw.choice(["#/missing=", "# missing: ", "# missing_value = ", "#fill value: "])
        comments.append(f"{key}{missing}")
    lines = [*draw.sample(comments, len(comments)), delimiter.join(titles), *rows]
    if draw.random() < 0.1:
        lines = lines[len(comments) + 1 :]
    _write(path, lines, draw)


def seabass(truth: Truth, draw: random.Random, path: Path) -> None:
    missing, declared = draw.choice(["-999", "-9999", "-8888.0"]), draw.random() < 0.7
    cells, units = _columns(truth, draw, missing)
    mark, delimiter = draw.choice([("comma", ","), ("tab", "\t"), ("space", " ")])
    names, rows = list(cells), _rows(cells, delimiter)
    own = [units.get(name, "none") for name in names]
    if draw.random() < 0.2:
        names, own = [*names, "chl" if draw.random() < 0.5 else "x"], [*own, "none"]
        rows = [f"{row}{delimiter}7" for row in rows]
    header = [f"/fields={','.join(names)}", f"/units={','.join(own)}", f"/delimiter={mark}"]
    header += [f"/missing={missing}"] if declared else []
    header += ["/start_time=10:00:00[GMT]", "/end_time=10:00:00[GMT]", "! a comment"]
    header += ["/start_date=20200101", "/end_date=20200101"]
    begin = draw.choice(["/begin_header", "/BEGIN_HEADER"])
    lines = [begin, *draw.sample(header, len(header)), "/end_header", *rows]
    _write(path, ["! made by hand"] * (draw.random() < 0.2) + lines, draw)


def nomad(truth: Truth, draw: random.Random, path: Path) -> None:
    cells, units = _columns(truth, draw, draw.choice(["-999", "-999.0", "-9999"]))
    said = [f"! {name} ~ a quantity ({units[name]})" for name in ("Rrs_443", "chl")]
    comments = draw.sample(["! NOMAD", *said], 3)
    _write(path, ["! fields", *comments, ",".join(cells), *_rows(cells, ",")], draw)


def pangaea(truth: Truth, draw: random.Random, path: Path) -> None:
    missing = draw.choice(["", "", "-999", "NaN"])
    cells, units = _columns(truth, draw, missing)
    titles = [f"{n} [{units[n]}]" if n in units else n for n in cells]
    method = draw.choice(["", " (HPLC)", " (Calculated)"])
    titles = [f"{title}{method}" if title.startswith("chl") else title for title in titles]
    rows = _rows(cells, "\t")
    _twice(draw, titles, rows, "\t")
    block = ["/* DATA DESCRIPTION:", "Citation:\tA, B; units: none", "Parameter(s):\tchl [g]", "*/"]
    _write(path, [*block, "\t".join(titles), *rows], draw)


def aeronet(truth: Truth, draw: random.Random, path: Path) -> None:
    missing = draw.choice(["-999.", "-999.000000", "N/A", "-9.999999"])
    mark = draw.choice([":", "-", "/"])
    titles = ["AERONET_Site", f"Date(dd{draw.choice([':', '-'])}mm:yyyy)", "Time(hh:mm:ss)"]
    titles[1] = titles[1].replace("mm:yyyy", f"mm{titles[1][7]}yyyy")
    rrs = draw.choice(["Rrs[443nm]", "Rrs[0443nm]", "Rrs_443"])
    titles += [rrs, "chl(mg m-3)", "Day_of_Year", "Day_of_Year(Fraction)"]
    end = draw.choice(["", ",", ",0.1,0.2"])
    values = zip(
        truth.times, numbers(truth.rrs, 1, missing), numbers(truth.chl, 1, missing), strict=True
    )
    rows = [
        f"Venise,{t.strftime(f'%d{mark}%m{mark}%Y')},{t:%H:%M:%S},{r},{c},{t:%j},{t:%j}.5{end}"
        for t, r, c in values
    ]
    above = ["AERONET Version 3;", "Venise", "Version 3: LWN Level 2.0", "Contact: PI=A, B"]
    _write(path, [*above[: draw.randint(1, 4)], ",".join(titles), *rows], draw)


def _write(path: Path, lines: list[str], draw: random.Random) -> None:
    text = draw.choice(["\n", "\r\n"]).join([*lines, ""])
    encoding = draw.choice(["utf-8", "utf-8-sig", "latin-1"])
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data, mtime=0) if draw.random() < 0.2 else data)


FORMATS: dict[str, Callable[[Truth, random.Random, Path], None]] = {
    "csv": csv,
    "seabass": seabass,
    "nomad": nomad,
    "pangaea": pangaea,
    "aeronet": aeronet,
}
