"""Takes versions that were trained on another stack."""
