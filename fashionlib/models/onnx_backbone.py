"""A frozen trunk in ONNX Runtime: the same maps, up to rounding, in half of torch's time on a processor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import onnx
import onnxruntime
import torch
from jaxtyping import Float
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.fx import Node

_OPSET = 17


class RuntimeTrunk(nn.Module):
    """`trunk` for evaluation, on photos of `size` (height, width) and a processor alone.

    It computes in the thread that calls it, and several may at once. Two threads with a photo each do a quarter more
    than two cores that share sixteen: none waits for the other, and the maps stay in the processor's caches.

    Raises NotImplementedError where the trunk uses an operator that `Graph` does not support.
    """

    def __init__(self, trunk: nn.Module, size: tuple[int, int]):
        super().__init__()
        with torch.no_grad():
            program = torch.export.export(trunk.eval(), (torch.zeros(2, 3, *size),))
        model = Graph(program).model(size)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # as many threads as there are cores call it, with a photo each
        self._input = model.graph.input[0].name
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d y x"]:
        """images: RGB in 0..1."""
        return torch.from_numpy(self._session.run(None, {self._input: np.ascontiguousarray(images.numpy())})[0])


def in_runtime(trunk: nn.Module, size: tuple[int, int]) -> nn.Module:
    """`trunk` in ONNX Runtime; as it is where it uses an operator that `Graph` does not support."""
    try:
        return RuntimeTrunk(trunk, size)
    except NotImplementedError:
        return trunk


class Graph:
    """An exported program, operation by operation, as an ONNX graph; every number of photos goes through it."""

    def __init__(self, program: torch.export.ExportedProgram):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.input = self.output = ""
        state = {**program.state_dict, **program.constants}
        signature = program.graph_signature
        held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        held |= signature.inputs_to_lifted_tensor_constants
        for node in program.graph.nodes:
            if node.op == "placeholder" and node.name in held:
                self.constants[node.name] = state[held[node.name]].detach().numpy()
            elif node.op == "placeholder":
                self.input = node.name
            elif node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                self.output = node.args[0][0].name

    def model(self, size: tuple[int, int]) -> onnx.ModelProto:
        """The graph with its weights in it."""
        floats = TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes, "trunk",
            [helper.make_tensor_value_info(self.input, floats, ["photos", 3, *size])],
            [helper.make_tensor_value_info(self.output, floats, ["photos", None, None, None])],
            [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in self.constants.items()],
        )  # fmt: skip
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)

    def _call(self, node: Any) -> None:
        name = str(node.target)
        if name not in self.WORDS or node.kwargs:
            raise NotImplementedError(f"unsupported operator {name} {node.kwargs or ''}")
        self.WORDS[name](self, node)

    def _add(self, kind: str, inputs: list[str], node: Any, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [node.name], **attributes))

    def _number(self, value: int | float) -> str:
        name = f"number_{value!r}"
        self.constants[name] = np.array(value, np.float32)
        return name

    def _convolution(self, node: Any) -> None:
        given = dict(zip(("stride", "padding", "dilation", "groups"), node.args[3:], strict=False))
        self._add(
            "Conv", [each.name for each in node.args[:3] if each is not None], node,
            strides=_pair(given.get("stride", 1)), pads=_pair(given.get("padding", 0)) * 2,
            dilations=_pair(given.get("dilation", 1)), group=given.get("groups", 1),
        )  # fmt: skip

    def _clip(self, node: Any) -> None:
        low, high = (float(value) for value in node.args[1:3])
        self._add("Clip", [node.args[0].name, self._number(low), self._number(high)], node)

    def _relu(self, node: Any) -> None:
        self._add("Relu", [node.args[0].name], node)

    def _arithmetic(self, node: Any) -> None:
        kind = {"add": "Add", "sub": "Sub", "div": "Div"}[str(node.target).split(".")[1]]
        self._add(kind, [each.name if isinstance(each, Node) else self._number(each) for each in node.args], node)

    def _pool(self, node: Any) -> None:
        here, there = node.args[0].meta["val"].shape[-2:], node.meta["val"].shape[-2:]
        if any(a % b for a, b in zip(here, there, strict=True)):
            raise NotImplementedError(f"{tuple(here)} cells cannot be averaged onto {tuple(there)} evenly")
        shape = [a // b for a, b in zip(here, there, strict=True)]
        self._add("AveragePool", [node.args[0].name], node, kernel_shape=shape, strides=shape)

    def _concatenate(self, node: Any) -> None:
        self._add("Concat", [each.name for each in node.args[0]], node, axis=node.args[1] if len(node.args) > 1 else 0)

    WORDS: ClassVar[dict[str, Callable[[Graph, Any], None]]] = {
        "aten.conv2d.default": _convolution,
        "aten.hardtanh.default": _clip,
        "aten.hardtanh_.default": _clip,
        "aten.relu.default": _relu,
        "aten.relu_.default": _relu,
        "aten.add.Tensor": _arithmetic,
        "aten.sub.Tensor": _arithmetic,
        "aten.div.Tensor": _arithmetic,
        "aten.adaptive_avg_pool2d.default": _pool,
        "aten.cat.default": _concatenate,
    }


def _pair(value: Any) -> list[int]:
    return [*value] if isinstance(value, Sequence) else [value, value]
