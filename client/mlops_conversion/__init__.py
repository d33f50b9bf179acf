"""Convert trained models to ONNX, and prove that the converted model answers as the original does.

It stands alone: no HTTP, no AWS, and no other package of the platform but the contract.
"""
