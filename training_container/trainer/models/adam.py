"""torch's Adam, which does not load torch's compiler."""

import inspect

import torch
from torch import optim


class Adam(optim.Adam):
    """`torch.optim.Adam` (Kingma and Ba 2015) without the wrappers that hide it from torch's compiler.

    Nothing is compiled here, and the first call of a wrapper loads the compiler: 800 modules, which take as long as
    torch itself.
    """

    add_param_group = inspect.unwrap(optim.Adam.add_param_group)
    zero_grad = inspect.unwrap(optim.Adam.zero_grad)
    state_dict = inspect.unwrap(optim.Adam.state_dict)
    load_state_dict = inspect.unwrap(optim.Adam.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(optim.Adam.step))
