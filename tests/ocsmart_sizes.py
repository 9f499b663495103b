"""The number of bands of OC-SMART's own files, by sensor."""

# Inputs of the Lrc networks, Rrs outputs, IOP outputs: the sizes of OC-SMART's own files.
COUNTS = {
    "SGLI": (8, 7, 7),
    "MODIS-Aqua": (9, 8, 7),
    "MODIS-Terra": (9, 8, 7),
    "VIIRS": (7, 6, 5),
    "OLCI": (15, 12, 10),
    "S2A": (9, 6, 4),
    "S2B": (9, 6, 4),
    "OLI": (5, 4, 4),
    "OLI2": (5, 4, 4),
    "GOCI": (8, 7, 6),
    "SeaWiFS": (8, 7, 6),
    "MERSI2": (8, 7, 5),
    "EPIC": (5, 5, 4),
    "HICO": (78, 59, 52),
    "HYPSO_HSI": (83, 83, 76),
    "OCI": (193, 145, 126),
}
