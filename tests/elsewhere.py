"""A device for tests without a GPU: tensors that say they are on "meta" and keep their values in the host's memory.

A real meta tensor has no values, so no path could be run through it to its end. Here the processor computes what was
moved to "meta". As on a GPU, an operation that mixes it with the host's tensors fails, and so does numpy's reading it
without `.cpu()`.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

NAME = "meta"
CROSSING = {"aten::copy_", "aten::_to_copy"}  # from one device to another
INDEXING = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}  # by the host's indices


class Elsewhere(torch.Tensor):
    """A tensor of that device; `here` holds its values."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> Elsewhere:
        made = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, here.shape, strides=here.stride(), storage_offset=here.storage_offset(), dtype=here.dtype,
            layout=here.layout, device=NAME,
        )  # fmt: skip
        made.here = here
        return made

    def __tensor_flatten__(self):
        return ["here"], None

    @staticmethod
    def __tensor_unflatten__(inner, _context, _size, _stride):
        return Elsewhere(inner["here"])

    def tolist(self):
        return self.cpu().tolist()

    def __reduce_ex__(self, protocol):
        return self.cpu().__reduce_ex__(protocol)  # as read back with map_location="cpu"

    def __repr__(self) -> str:
        return f"Elsewhere({self.here!r})"

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _computed(function, args, kwargs or {})


def _computed(function, args, kwargs):
    """What `function` gives of the values, on the device on which a GPU's torch would leave it."""
    name, wanted = function._schema.name, kwargs.get("device")
    given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
    away = [each for each in given if isinstance(each, Elsewhere)]
    host = [each for each in given if not isinstance(each, Elsewhere)]
    if lost := [each for each in host if each.device.type == NAME]:
        raise RuntimeError(f"{name}: a tensor of {tuple(lost[0].shape)} was moved where its values were lost")
    indexed = name in INDEXING and isinstance(args[0], Elsewhere)
    mixed = [tuple(each.shape) for each in host if each.ndim]
    if away and mixed and name not in CROSSING and not indexed:
        raise RuntimeError(f"{name}: tensors of two devices; those of the host: {mixed}")
    stays = isinstance(args[0], Elsewhere) if name == "aten::copy_" else bool(away)
    there = stays if wanted is None else torch.device(wanted).type == NAME
    args_here, kwargs_here = tree_map_only(Elsewhere, lambda each: each.here, (args, kwargs))
    if wanted is not None:
        kwargs_here["device"] = torch.device("cpu")
    found = function(*args_here, **kwargs_here)
    if not there:
        return found
    found = tree_map_only(torch.Tensor, lambda each: each if isinstance(each, Elsewhere) else Elsewhere(each), found)
    return return_and_correct_aliasing(function, args, kwargs, found)


class _Watched(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        with self:  # under inference mode, operations come here that are made of others
            parts = function.decompose(*args, **kwargs or {})
        return _computed(function, args, kwargs or {}) if parts is NotImplemented else parts


class _Filled(TorchFunctionMode):
    """torch leaves out the numbers where it makes a meta tensor of some: make it on the host, then move it."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is torch.Tensor.new_tensor:
            kwargs = {"dtype": args[0].dtype, "device": args[0].device, **kwargs}
            function, args = torch.tensor, args[1:]
        if function in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            at = args[1] if isinstance(args[1], tuple) else (args[1],)
            at = tuple(torch.tensor(each, dtype=torch.long) if isinstance(each, list) else each for each in at)
            args = (args[0], at, *args[2:])
        if function in (torch.tensor, torch.as_tensor) and (wanted := kwargs.pop("device", None)) is not None:
            return function(*args, **kwargs).to(wanted)
        return function(*args, **kwargs)


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """FASHIONLIB_DEVICE is that device, here and in the threads that are started meanwhile."""
    submit = ThreadPoolExecutor.submit

    def submitted(pool, work, *args, **kwargs):
        def watched():
            with _Watched(), _Filled():
                return work(*args, **kwargs)

        return submit(pool, watched)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), _Watched(), _Filled():
        warnings.filterwarnings("ignore", ".*to a meta parameter in the current model, which is a no-op.*")
        patch.setenv("FASHIONLIB_DEVICE", NAME)
        patch.setattr(ThreadPoolExecutor, "submit", submitted)
        yield
