"""The forecast: from the releases measured so far, how likely the next ones are to meet their targets.

    results -> releases -> one series a metric -> level filter -> simulated futures -> probabilities, intervals

The method and its limits are in docs/forecast.md.
"""
