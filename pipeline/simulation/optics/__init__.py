"""What water, phytoplankton, dissolved matter and particles do to light: one idea per module."""
