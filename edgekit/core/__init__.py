"""The shared vocabulary of host and device: values, rules and file formats. Pure: standard library and numpy."""
