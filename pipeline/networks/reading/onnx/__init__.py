"""Reads ONNX files into layers, without a library of ONNX; no code in a file is run.

``protobuf`` splits the bytes. ``model`` turns the parts into operators and numbers. ``operators``
describes the output of each operator as a ``signal``. ``network`` turns the signals of the outputs
into transforms and layers.
"""
