"""Damaged and hostile files through warm children: equal to what netCDF4 or h5py reads, or refused.

python -m fuzz                                          # in tests/, 250 files of each reader
python -m fuzz obpg_l2 pace_oci retype 17               # one file again
"""
