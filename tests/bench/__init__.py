"""Measurements. They report ratios of what was measured in one run, because absolute times differ between machines."""
