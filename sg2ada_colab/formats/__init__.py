"""Network files of every family: stylegan2-ada, its PyTorch program, safetensors, ONNX, SavedModel; read and written.

Nothing in a file from outside is ever run.
"""
