"""Convert a version that plain MLflow logged to the ONNX file that serves: `python -m conversion`.

One process has the job's rights: it fetches the version's files, and stores what was made of them. Another one, which
has none of them, loads the model, because whatever was pickled runs when it is loaded.
"""
