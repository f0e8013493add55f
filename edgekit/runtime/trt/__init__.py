"""The TensorRT back end: what builds and runs engines on a Jetson, or on any NVIDIA GPU."""
