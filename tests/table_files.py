"""Small tables in the layouts that portals write; each is written from the published layout."""

SEABASS = """/begin_header
/cruise=CR1
/station=7
/start_date=20110910
/end_date=20110910
/start_time=19:00:30[GMT]
/end_time={end}[GMT]
/north_latitude=49.93[DEG]
/south_latitude=49.93[DEG]
/east_longitude=-96.94[DEG]
/west_longitude=-96.94[DEG]
/missing=-9999
/delimiter=comma
"""
PANGAEA = """/* DATA DESCRIPTION:
Citation:\tA paper
License:\tCreative Commons Attribution 4.0
Parameter(s):\tLATITUDE
*/
Event\tDate/Time\tLatitude\tLongitude\tRrs_412 [1/sr]\tChl a [\u00b5g/l] (HPLC)\tTSM [mg/l]
PS1\t2011-09-10T19:00\t49.93\t-96.94\t0.002335\t0.6\t
PS2\t2011-09-10T19:05\t49.92\t-96.93\t0.002336\t0.7\t"a
"""
ERDDAP = """time,latitude,longitude,station,chlorophyll
UTC,degrees_north,degrees_east,,mg m-3
2011-09-10T19:00:00Z,49.93,-96.94,a,1.25
2011-09-10T19:05:00Z,49.92,-96.93,b,NaN
"""
AERONET = """AERONET Version 3;
Lake_Winnipeg
Version 3: LWN Level 2.0
The following data are cloud cleared and quality assured
Contact: PI=A Person; PI Email=person@example.org
AERONET_Site,Date(dd-mm-yyyy),Time(hh:mm:ss),Day_of_Year,Lw[0412nm],Lwn_f/Q[412nm],Lwn_f/Q[443nm],\
Site_Latitude(Degrees),Site_Longitude(Degrees),Exact_Wavelengths(um)_412
Lake_Winnipeg,10:09:2011,19:00:30,253,0.5,0.61,0.7,49.93,-96.94,0.4123,
Lake_Winnipeg,11:09:2011,19:00:30,254,-999.,0.62,-9.999999,49.93,-96.94,0.4123,
"""
COMMENTED = """#/missing=-999
#/units=none,degrees,degrees,1/sr,mg/m^3
station,lat,lon,Rrs_443,chl
1,49.93,-96.94,0.004,1.0
2,49.93,-96.94,-999,1.0
"""


def seabass(fields: str, units: str, *rows: str, end: str = "19:00:30", above: str = "") -> str:
    """A SeaBASS file with these fields and rows, and text above its header."""
    header = SEABASS.format(end=end)
    return (
        f"{above}{header}/fields={fields}\n/units={units}\n/end_header\n" + "\n".join(rows) + "\n"
    )
