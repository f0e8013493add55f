"""The ONNX Runtime back end: what builds and runs engines where there is no TensorRT."""
