"""edgekit: from an ONNX detector and a list of Jetsons to a running, measured detection service."""

__version__ = "0.1.0"
