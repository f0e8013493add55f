"""Device code: camera to detections, engine building and measuring. Python 3.8, numpy and OpenCV; no host code."""
