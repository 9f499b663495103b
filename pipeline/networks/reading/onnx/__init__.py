"""Reads ONNX files into layers, without a library of ONNX; nothing in a file is run.

``protobuf`` splits the bytes, ``model`` makes operators and numbers of them, ``operators`` follows
the operators with a ``signal``, and ``network`` turns what came out into transforms and layers.
"""
