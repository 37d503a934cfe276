"""Metric names declared once, structured logs."""
