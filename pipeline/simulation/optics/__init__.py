"""Optics of water, phytoplankton, dissolved matter and particles."""
