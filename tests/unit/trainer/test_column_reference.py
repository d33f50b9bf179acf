"""What a training job writes into its model's file about the columns, and what the platform then watches."""

import json

import numpy as np
import onnx
import pytest

from mlops_contract import Contract, Task
from mlops_contract.column_bins import ColumnBins
from mlops_contract.table_reference import TableReference
from mlops_contract.whole_columns import encode_columns
from tests.support import coded
from trainer import models
from trainer.export import export
from trainer.export.coding import decode
from trainer.parameters import Parameters

from .test_fit import Session


@pytest.mark.parametrize("task", list(Task))
def test_the_file_says_what_the_held_out_rows_had_in_each_column(task: Task):
    dataset = coded.made(task)
    trained = models.find("linear").train(dataset, models.resolved(Parameters(model_type="linear")), Session())
    described = json.loads(onnx.load_from_string(export(trained, dataset).content).metadata_props[0].value)
    contract = Contract.from_document(described["contract"])
    reference = TableReference.from_document(described["column_reference"], contract)
    assert reference is not None
    assert reference.rows == len(dataset.held_out)
    assert [column.name for column in reference.columns] == [column.name for column in contract.columns]
    assert (reference.prediction is not None) == (task is Task.REGRESSION)
    feeds = encode_columns(contract, decode(contract, dataset.feature_columns, dataset.held_out.inputs))
    outputs = trained.predict(dataset.held_out.inputs).reshape(len(dataset.held_out), -1).astype(np.float32)
    counts = ColumnBins(contract, reference).count(feeds, outputs)
    parts = list(reference.split(counts.tolist()))
    assert all(part == column.counts for column, part in parts[: len(reference.columns)])
    assert np.sum([column.counts[0] for column in reference.columns]) > 0
