"""The tables of `configs/` as typed objects: quantities, sensors, sea water, optical tables."""
