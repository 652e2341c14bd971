"""The few calls of NVIDIA's driver that an engine needs, through ctypes.

The driver's library is on every machine that has an NVIDIA device, a Jetson board too, and the
signatures of its calls never change (CUDA Driver API reference). So nothing has to be installed.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.base import EngineUnavailableError

LIBRARY = "libcuda.so.1"
_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR = 75, 76
_STREAM_NON_BLOCKING = 1
_CAPTURE_THREAD_LOCAL = 1
_NOT_READY = 600

_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cuInit": (c_uint,),
    "cuDriverGetVersion": (POINTER(c_int),),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
    "cuCtxSetCurrent": (c_void_p,),
    "cuMemAlloc_v2": (POINTER(c_uint64), c_size_t),
    "cuMemFree_v2": (c_uint64,),
    "cuMemHostAlloc": (POINTER(c_void_p), c_size_t, c_uint),
    "cuMemFreeHost": (c_void_p,),
    "cuStreamCreate": (POINTER(c_void_p), c_uint),
    "cuStreamDestroy_v2": (c_void_p,),
    "cuStreamQuery": (c_void_p,),
    "cuStreamSynchronize": (c_void_p,),
    "cuMemcpyHtoDAsync_v2": (c_uint64, c_void_p, c_size_t, c_void_p),
    "cuMemcpyDtoHAsync_v2": (c_void_p, c_uint64, c_size_t, c_void_p),
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, POINTER(c_void_p)),
    "cuGraphInstantiateWithFlags": (POINTER(c_void_p), c_void_p, c_uint64),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphDestroy": (c_void_p,),
    "cuGraphExecDestroy": (c_void_p,),
    "cuGetErrorString": (c_int, POINTER(c_char_p)),
}


@dataclass(frozen=True)
class Device:
    """The device that is used: the first one that the driver shows.

    Attributes
    ----------
    name
        As the driver gives it.
    compute_capability
        Such as ``9.0``.
    cuda_version
        The newest CUDA version that the driver serves, such as ``13.0``.
    """

    name: str
    compute_capability: str
    cuda_version: str


class CudaDriver:
    """The first device's primary context, and what is done in it.

    CUDA_VISIBLE_DEVICES chooses among several devices, as everywhere. What is allocated lives
    until `close`.

    Raises
    ------
    EngineUnavailableError
        If there is no driver or no device, here and from every call that fails.
    """

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise EngineUnavailableError(
                f"there is no NVIDIA driver here: {LIBRARY} cannot be loaded",
                "Run on a machine with an NVIDIA device and its driver, or use --engine openvino.",
            ) from error
        self._calls = {}
        self._owned: list[tuple[str, int]] = []
        for name, arguments in _SIGNATURES.items():
            try:
                call = getattr(library, name)
            except AttributeError as error:
                raise EngineUnavailableError(
                    f"the NVIDIA driver is too old: it has no {name}",
                    "Install a driver that serves CUDA 12 or later.",
                ) from error
            call.argtypes, call.restype = arguments, c_int
            self._calls[name] = call
        self._call("cuInit", 0)
        count = c_int()
        self._call("cuDeviceGetCount", byref(count))
        if count.value == 0:
            raise EngineUnavailableError(
                "the NVIDIA driver shows no device",
                "Look at nvidia-smi and CUDA_VISIBLE_DEVICES, or use --engine openvino.",
            )
        ordinal = c_int()
        self._call("cuDeviceGet", byref(ordinal), 0)
        self._context = c_void_p()
        self._call("cuDevicePrimaryCtxRetain", byref(self._context), ordinal)
        self.use()
        self.device = self._describe(ordinal)

    def use(self) -> None:
        """Make the context the calling thread's own."""
        self._call("cuCtxSetCurrent", self._context)

    def close(self) -> None:
        """Give back all memory, streams and graphs; none of them may be in use any more."""
        self.use()
        while self._owned:
            call, handle = self._owned.pop()
            self._call(call, handle)

    def pinned(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """A float32 array of zeros in page-locked memory, which the device reads by itself."""
        size = int(np.prod(shape))
        address = c_void_p()
        self._call("cuMemHostAlloc", byref(address), 4 * size, 0)
        memory = (ctypes.c_float * size).from_address(self._own("cuMemFreeHost", address.value))
        array: NDArray[np.float32] = np.ctypeslib.as_array(memory).reshape(shape)
        array.fill(0)
        return array

    def allocate(self, n_bytes: int) -> int:
        """The address of so many bytes on the device."""
        address = c_uint64()
        self._call("cuMemAlloc_v2", byref(address), max(n_bytes, 1))
        return self._own("cuMemFree_v2", address.value)

    def stream(self) -> int:
        """A new stream's handle."""
        handle = c_void_p()
        self._call("cuStreamCreate", byref(handle), _STREAM_NON_BLOCKING)
        return self._own("cuStreamDestroy_v2", handle.value)

    def to_device(self, target: int, source: NDArray[np.float32], stream: int) -> None:
        """Copy a pinned array to the device; returns before it is done."""
        self._call("cuMemcpyHtoDAsync_v2", target, source.ctypes.data, source.nbytes, stream)

    def to_host(self, target: NDArray[np.float32], source: int, stream: int) -> None:
        """Copy from the device into a pinned array; returns before it is done."""
        self._call("cuMemcpyDtoHAsync_v2", target.ctypes.data, source, target.nbytes, stream)

    def wait(self, stream: int) -> None:
        """Return when all that was put on the stream is done."""
        self._call("cuStreamSynchronize", stream)

    def is_done(self, stream: int) -> bool:
        """Whether `wait` would return at once."""
        if (status := self._calls["cuStreamQuery"](stream)) == _NOT_READY:
            return False
        self._check("cuStreamQuery", status)
        return True

    def begin_capture(self, stream: int) -> None:
        """Record what is put on the stream, instead of doing it."""
        self._call("cuStreamBeginCapture_v2", stream, _CAPTURE_THREAD_LOCAL)

    def end_capture(self, stream: int) -> int:
        """The handle of a graph of what was recorded, ready for `launch`."""
        graph, ready = c_void_p(), c_void_p()
        self._call("cuStreamEndCapture", stream, byref(graph))
        self._call("cuGraphInstantiateWithFlags", byref(ready), graph, 0)
        self._call("cuGraphDestroy", graph)
        return self._own("cuGraphExecDestroy", ready.value)

    def launch(self, graph: int, stream: int) -> None:
        """Put a whole graph on the stream."""
        self._call("cuGraphLaunch", graph, stream)

    def _own(self, give_back: str, handle: int | None) -> int:
        self._owned.append((give_back, handle or 0))
        return handle or 0

    def _describe(self, ordinal: c_int) -> Device:
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, len(name), ordinal)
        numbers = []
        for attribute in (_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR):
            number = c_int()
            self._call("cuDeviceGetAttribute", byref(number), attribute, ordinal)
            numbers.append(str(number.value))
        version = c_int()
        self._call("cuDriverGetVersion", byref(version))
        major, rest = divmod(version.value, 1000)
        return Device(
            name=name.value.decode("utf-8", "replace"),
            compute_capability=".".join(numbers),
            cuda_version=f"{major}.{rest // 10}",
        )

    def _call(self, name: str, *arguments: Any) -> None:
        self._check(name, self._calls[name](*arguments))

    def _check(self, name: str, status: int) -> None:
        if status:
            text = c_char_p()
            self._calls["cuGetErrorString"](status, byref(text))
            said = (text.value or b"unknown").decode("utf-8", "replace")
            raise EngineUnavailableError(
                f"the NVIDIA driver's {name} failed with error {status}: {said}",
                "Look at nvidia-smi (is the device there, is its memory taken?), or use "
                "--engine openvino.",
            )
