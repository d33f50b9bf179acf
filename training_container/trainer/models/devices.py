"""Where torch computes: on a GPU if there is one, else on the processor."""

import os

import torch

from trainer.errors import TrainingError

REQUIRED = "GPU_REQUIRED"
"""The variable of a job that is paid for with a GPU."""


def chosen() -> torch.device:
    """Return the device to train on.

    Raises:
        TrainingError: The job needs a GPU, and torch sees none.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    if os.environ.get(REQUIRED):
        built = f"it is built for CUDA {torch.version.cuda}" if torch.version.cuda else "it is built for processors"
        raise TrainingError(
            f"the job has a GPU, and torch sees none: {built}. An operator can check GpuTrainingImage and "
            "GpuInstanceTypes; without `gpu` in `resources` the run trains on the processor"
        )
    return torch.device("cpu")


def deterministic(seed: int, device: torch.device) -> None:
    """Make torch give the same numbers for the same seed.

    On a GPU a few operations have no algorithm that repeats to the bit. Those are named in the log, and used.
    """
    torch.manual_seed(seed)
    # As torch.use_deterministic_algorithms, which loads torch's compiler to tell it the same.
    torch.set_deterministic_debug_mode("error" if device.type == "cpu" else "warn")


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 itself; emulated it would be slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public name for them
    return any(getattr(torch.cpu, check, bool)() for check in checks)


def random_state(device: torch.device) -> torch.Tensor | None:
    """Return the state of a GPU's own generator, which dropout draws from; None of the processor."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def restore_random_state(device: torch.device, state: torch.Tensor | None) -> None:
    """Continue a GPU's generator from a state; None, as of a run on the processor, leaves it."""
    if state is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
