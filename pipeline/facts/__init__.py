"""The tables of `configs/`: quantities, sensors, sea water, optical tables, as typed objects."""
