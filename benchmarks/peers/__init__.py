"""The peers' model files, each converted as the peer's own documentation advises.

ncnn and ONNX are written from the network's graph; ONNX Runtime, MNN and OpenVINO convert the ONNX file.
"""
