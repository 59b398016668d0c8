"""Measurements: ratios against bare Temporal, taken in one process run; absolute milliseconds stand beside the load of the box."""
