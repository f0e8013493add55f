"""Measuring engines on their device: `rounds.measure_rounds` is the entry. Results are files of their own.

A run that was stopped leaves a *.partial.json, which is no result; see `partial`.
"""
