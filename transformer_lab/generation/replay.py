"""The steps of a generation on a GPU, recorded once and replayed; the same tokens as reader.py's, which is to be read.

At one token a step a GPU spends most of its time waiting for Python to launch the next of hundreds of small kernels.
A CUDA graph launches all of them at once, but on the same memory each time. So here the cache has free places, into
which the keys and values are written; a mask hides those still free, and the position is a number on the GPU.

The steps are tested on the CPU. The recording itself has not been run yet: `make test-gpu` and `make bench-gpu` do so.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..attention import KVCache, fused_attention, restrict
from ..blocks import for_every_query
from ..models import GPT, Transformer
from ..positions import count_positions
from .reader import Reader

# Guesses, for a recording costs a few steps and each replay saves most of one: so a short text is written without.
STEPS_BEFORE = 32
ROOM = 256  # free places of a new cache; when they are filled, a larger one is made and the step is recorded again


def can_replay(model: nn.Module, device: torch.device) -> bool:
    """Is the model on a GPU, and does every part compute as its class says? A replay runs no Python.

    It would leave out hooks and replaced attention, with which a model is recorded or changed, and cannot look at a
    value, as foreign parts might. autocast keeps copies of the weights, whose memory is not the graph's.
    """
    is_ours = type(model) in (GPT, Transformer) and all(map(is_untouched, model.modules()))
    return device.type == "cuda" and is_ours and not torch.is_autocast_enabled("cuda")


def is_untouched(module: nn.Module) -> bool:
    """Is this one of our modules or torch's, without hooks, with its class's forward and with fused attention?"""
    is_known = type(module).__module__.startswith(("transformer_lab.", "torch.nn.modules."))
    has_hooks = module._forward_hooks or module._forward_pre_hooks
    is_fused = getattr(module, "attend", fused_attention) is fused_attention
    return is_known and is_fused and not has_hooks and "forward" not in vars(module)


class RoomyCache(KVCache):
    """A copy of a cache with free places behind; its tensors stay where they are, and its length counts all places."""

    def __init__(self, cache: KVCache, room: int, position: Int[Tensor, "1"]):
        self.keys, self.values = (F.pad(kept, (0, 0, 0, room)) for kept in (cache.keys, cache.values))
        self.position = position

    def extend(self, keys: Float[Tensor, "B H 1 d_head"], values: Float[Tensor, "B H 1 d_head"]):
        """Write a token's keys and values at the position; return all places, the free ones too."""
        return self.keys.index_copy_(2, self.position, keys), self.values.index_copy_(2, self.position, values)


class ReplayReader(Reader):
    """A Reader whose steps, from STEPS_BEFORE on, are all the same program on the same memory."""

    cache: list[tuple[KVCache, KVCache]]
    n_steps = n_places = 0

    @torch.inference_mode()
    def next_logits(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B V"]:
        """The logits of the token that follows ids; the next call may overwrite them."""
        self.n_steps += 1
        if self.n_steps <= STEPS_BEFORE:
            return super().next_logits(ids)
        if ids.shape[1] > self.n_places:
            self.make_room(ids)
        self.ids.copy_(ids[:, -1:])
        self.position.fill_(ids.shape[1] - 1)
        return self.step()

    def make_room(self, ids: Int[Tensor, "B T"]) -> None:
        """Give the cache ROOM for more tokens than ids, of which all but the last are cached, and record the step."""
        n_cached, device = ids.shape[1] - 1, ids.device
        self.step = self.one_step  # in place of a recording: two are never in memory at once
        self.n_places = n_cached + ROOM
        self.ids, self.position = ids[:, -1:].clone(), torch.tensor([n_cached], device=device)
        n_more = 0 if self.mask is None else self.n_places - self.mask.shape[1]
        self.is_real = None if self.mask is None else F.pad(self.mask, (0, n_more), value=True)
        self.positions = count_positions(self.n_places, self.is_real, device)
        self.cache = [(RoomyCache(own, ROOM, self.position), of_memory) for own, of_memory in self.cache]
        if device.type == "cuda":
            self.step = recorded(self.one_step, device)

    def one_step(self) -> Float[Tensor, "B V"]:
        """What Reader.next_logits computes for a single token, in shapes that do not depend on the position."""
        stack, here = self.model.decoder, self.positions.index_select(1, self.position)
        x = self.model.embedding.at(here, self.ids)
        is_past = torch.arange(self.n_places, device=x.device)[None] <= self.position
        mask = for_every_query(is_past if self.is_real is None else is_past & self.is_real)
        mask = restrict(stack.positions.bias(here, self.positions), mask)
        rotation = stack.positions.rotation(here, x.dtype)
        memory, memory_mask = self.memory.get("memory"), for_every_query(self.memory.get("memory_mask"))
        for block, cache in zip(stack.blocks, self.cache, strict=True):
            x = block(x, mask, False, rotation, memory, memory_mask, cache)
        return self.model.logits(stack.norm(x))[:, 0]


def recorded(step: Callable[[], Tensor], device: torch.device) -> Callable[[], Tensor]:
    """The step as a CUDA graph: each call launches all its kernels, and returns its result in the same tensor."""
    with torch.cuda.device(device):
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries set themselves up at their first calls, which cannot be recorded
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):  # other threads may go on
            result = step()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay
