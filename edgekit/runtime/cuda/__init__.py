"""The GPU beside TensorRT: its facts, memory, graphs, and the kernels for what comes before and after the network."""
