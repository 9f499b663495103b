"""Miniatures of archives of in-situ data, written from their published descriptions.

The archives themselves cannot be had here. The titles of columns, the marks of missing values and
the oddities (such as GLORIA's last line) are those that the papers and public programs that read
the files describe. The numbers are invented.
"""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

OLCI_NM = {2: 412.5, 3: 442.5, 4: 490, 5: 510, 6: 560, 8: 665}
NOMAD_STATION = {"lat": 42.5, "lon": -70.25, "year": 2004, "month": 5, "day": 3}
GLORIA_FLAGS = (
    "Noisy_red,Noisy_blue,Baseline_shift,Oxygen_signal,Negative_uv_slope,QWIP_fail,Suspect,Flagged"
)
GLORIA_LABORATORY = (
    *("GLORIA_ID", "Dataset_ID", "SeaBASS_ID", "Site_name", "Country", "Latitude", "Longitude"),
    *("Date_Time_UTC", "Water_body_type", "Depth", "Chl_method"),
    *("Chla", "TSS", "aCDOM440", "Secchi_depth"),
)
PANGAEA_HEAD = (
    "/* DATA DESCRIPTION:",
    "Citation:\tValente et al. (2022)",
    "License:\tCreative Commons Attribution 4.0 International (CC-BY-4.0)",
    "*/",
)


def spectrum(nm: Any, chlorophyll: float) -> Any:
    """Rrs (sr-1) that falls with chlorophyll in the blue: not real, but different for each row."""
    return 0.004 * np.exp(-chlorophyll * 0.08 * np.exp(-((np.asarray(nm) - 440) ** 2) / 8000))


def gloria(folder: Path, rows: int = 40) -> Path:
    """GLORIA (Lehmann et al. 2023): spectra at 1 nm, laboratory values and flags in three files.

    The file of flags is in another order, and ends with a line without values.
    """
    nm = np.arange(350, 901)
    spectra = ["GLORIA_ID," + ",".join(f"Rrs_{one}" for one in nm)]
    laboratory = [",".join(GLORIA_LABORATORY)]
    flags = []
    for row in range(rows):
        chlorophyll = 0.5 + 0.5 * row
        cells = [f"{value:.6g}" for value in spectrum(nm, chlorophyll)]
        if row % 5 == 0:
            cells[:50] = ["NaN"] * 50
        spectra.append(f"GID_{row + 1}," + ",".join(cells))
        suspended = "" if row % 3 == 0 else f"{2 + row}"
        laboratory.append(
            f'GID_{row + 1},DS_{row % 8},,"Lake {row % 9}, north",Canada,50.1,-97.2,'
            f"2013-06-{row % 28 + 1:02d}T15:30,1,4.5,HPLC,{chlorophyll},{suspended},"
            f"{0.1 + row / 50},{10 / (1 + row)}"
        )
        flagged = "" if row == 7 else int(row % 10 == 9)
        flags.append(f"GID_{row + 1},0,0,{flagged or 0},0,0,0,0,{flagged}")
    head = f"GLORIA_ID,{GLORIA_FLAGS}"
    _write(folder / "GLORIA_Rrs.csv", spectra)
    _write(folder / "GLORIA_meta_and_lab.csv", laboratory)
    _write(folder / "GLORIA_qc_flags.csv", [head, *reversed(flags), "," * head.count(",")])
    return folder / "GLORIA_Rrs.csv"


def valente(folder: Path, rows: int = 40) -> Path:
    """Valente et al. 2022: tables of PANGAEA, with the key ID and the source of each row.

    Every fifth row has the source NOMAD. One row of SeaBASS is a station of NOMAD; one row has
    neither chlorophyll nor absorption.
    """
    place = ("ID (idx)", "Date/Time", "Latitude", "Longitude")
    of_rrs = ["Comment (dataset)", "Comment (subdataset)", "Comment (contributor)"]
    of_chla = [
        "Chl a [mg/m**3] (High Performance Liquid Chrom...)",
        "Chl a [mg/m**3] (Chlorophyll a, fluorometric o...)",
        "Comment (chla_hplc_dataset)",
        "Comment (chla_fluor_dataset)",
        "QF Chl (1 if observation as unknown c...)",
    ]
    of_iops = ["Comment (dataset)", "Comment (dataset (tss = tsm in article))", "TSS [mg/l]"]
    for band in OLCI_NM:
        at, of = f"(at +-6nm of OLCI-S3A band {band})", f"assigned to OLCI-S3A band {band})"
        of_rrs += [f"RRS [1/sr] {at}", f"Lambda [nm] ({of}"]
        of_iops += [f"APH [1/m] {at}", f"Lambda [nm] (aph, {of}"]
    rrs, chla, iops = (["\t".join([*place, *titles])] for titles in (of_rrs, of_chla, of_iops))
    for row in range(rows):
        source = "nomad" if row % 5 == 0 else "seabass"
        where = f"{30 + row}.5\t-70.25"
        when = f"200{row % 8}-07-{row % 28 + 1:02d}T12:48"
        if row == 12:  # a station of NOMAD under another source
            where, when = "42.51\t-70.25", "2004-05-03T09:00"
        chlorophyll = 0.05 * 1.2**row
        head = f"{row + 1}\t{when}\t{where}"
        values = [f"{spectrum(nm, chlorophyll):.6g}\t{nm}" for nm in OLCI_NM.values()]
        rrs.append("\t".join([head, source, f"cruise_{row % 7}", "A Person", *values]))
        if row != 3:
            chla.append(f"{head}\t{chlorophyll:.6g}\t\t{source}\t\t")
        if row % 2 == 0:
            aph = [f"{aph_443(chlorophyll) * 440 / nm:.6g}\t{nm}" for nm in OLCI_NM.values()]
            iops.append("\t".join([head, source, "", "", *aph]))
    for name, lines in {"rrs_satbands6": rrs, "chla": chla, "iopskdtsm_satbands6": iops}.items():
        _write(folder / f"insitudb_{name}_V3.tab", [*PANGAEA_HEAD, *lines])
    nomad(folder)
    return folder / "insitudb_rrs_satbands6_V3.tab"


def casey(folder: Path, rows: int = 40) -> Path:
    """Casey et al. 2020: a table for each quantity, with a column for each nm and -999 if missing.

    One row is a station of NOMAD, which no column says.
    """
    nm = np.arange(300, 901)
    place = "Latitude [degrees_north],Longitude [degrees_east],Depth [m],Year,Month,Day"
    head = f"ID,CRUISE,Provider,{place}," + ",".join(map(str, nm))
    rrs, absorption = [head], [head]
    for row in range(rows):
        where = f"{20 + row},-30.5,0,2009,{row % 12 + 1},{row % 28 + 1}"
        if row == 13:
            where = "42.5,-70.25,0,2004,5,3"
        start = f"{row + 1},cruise_{row % 6},A Person,{where},"
        chlorophyll = 0.05 * 1.2**row
        shown = np.where((nm < 350) | (nm > 800), -999, spectrum(nm, chlorophyll))
        rrs.append(start + ",".join(f"{value:.6g}" for value in shown))
        aph = aph_443(chlorophyll) * np.exp(-((nm - 443.0) ** 2) / 9000) + 1e-4
        if row % 3:
            absorption.append(start + ",".join(f"{value:.6g}" for value in aph))
    _write(folder / "casey_rrs.csv", rrs)
    _write(folder / "casey_aph.csv", absorption)
    nomad(folder)
    return folder / "casey_rrs.csv"


def aph_443(chlorophyll: float) -> float:
    """Phytoplankton absorption (m-1) that rises with chlorophyll."""
    return float(0.03 * chlorophyll**0.7)


def nomad(folder: Path) -> Path:
    """NOMAD with two rows: a place, a date and chlorophyll."""
    names = [*NOMAD_STATION, "chl"]
    rows = [[*NOMAD_STATION.values(), 1.5], [-40, 10, 1999, 1, 2, 0.1]]
    lines = ["! NOMAD", "!", ",".join(names), *(",".join(map(str, row)) for row in rows)]
    path = folder / "nomad.txt.gz"
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return path


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
