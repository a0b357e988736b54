"""Tokens as text that can be read: what a byte-level tokenizer splits within a character is joined again."""

import json
import re
from collections.abc import Iterable, Sequence

import tokenizers

# What each byte is written as in a byte-level vocabulary (GPT-2's, by which most others abide): the visible signs of
# Latin-1 stand for themselves, the others for the signs that follow Latin-1, in order.
_VISIBLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_HIDDEN = [byte for byte in range(256) if byte not in _VISIBLE]
BYTES = {chr(byte): byte for byte in _VISIBLE} | {chr(256 + n): byte for n, byte in enumerate(_HIDDEN)}
BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")  # where a vocabulary of whole characters falls back on bytes, as Llama 2's
PART = "₂₃₄"  # a character's second token, and its third and fourth: in UTF-8 no character has more bytes


def labels_of(tokenizer, ids: Iterable) -> list[str]:
    """Label each id of a text by any tokenizer, ours or one of transformers, or by its index if that is None."""
    ids = [int(i) for i in ids]
    if tokenizer is None:
        return indices(len(ids))
    if hasattr(tokenizer, "tokens"):  # ours
        return tokenizer.tokens(ids)
    if hasattr(tokenizer, "backend_tokenizer"):  # a fast one of transformers
        return token_labels(tokenizer.backend_tokenizer, ids)
    return [tokenizer.decode([i]) for i in ids]


def indices(n: int) -> list[str]:
    """Return the labels of n tokens of which nothing is known: 0, 1, 2 ..."""
    return [str(i) for i in range(n)]


def token_labels(tokenizer: tokenizers.Tokenizer, ids: Sequence[int]) -> list[str]:
    """Label each id with its token as text; see `joined` for parts of characters. An id without a token is <id 7>."""
    kinds = decoder_kinds(tokenizer)
    tokens = [f"<id {i}>" if (token := tokenizer.id_to_token(i)) is None else token for i in ids]
    if "Metaspace" in kinds or "ByteFallback" in kinds:
        tokens = [token.replace("▁", " ") for token in tokens]  # so they write a space
    if not kinds & {"ByteLevel", "ByteFallback"}:
        return tokens
    to_bytes = bytes_of_signs if "ByteLevel" in kinds else bytes_of_token
    added = tokenizer.get_added_tokens_decoder()  # these are written as they are read
    return joined([encoded(t) if i in added else to_bytes(t) for i, t in zip(ids, tokens, strict=True)])


def decoder_kinds(tokenizer: tokenizers.Tokenizer) -> set[str]:
    """Return the types of the tokenizer's decoders, for instance {"ByteLevel"}; a sequence of them counts as each."""
    if tokenizer.decoder is None:
        return set()
    state = json.loads(tokenizer.decoder.__getstate__())
    return {one["type"] for one in state.get("decoders", [state])}


def bytes_of_signs(token: str) -> bytes:
    """Return the bytes that a token of a byte-level vocabulary stands for."""
    return b"".join(bytes([BYTES[sign]]) if sign in BYTES else encoded(sign) for sign in token)


def bytes_of_token(token: str) -> bytes:
    """Return the one byte that a token such as <0xE6> stands for, or any other token's text in UTF-8."""
    byte = BYTE_TOKEN.fullmatch(token)
    return bytes.fromhex(byte[1]) if byte else encoded(token)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def joined(tokens: Sequence[bytes]) -> list[str]:
    """Label tokens, given as consecutive bytes of one text, with the characters that they hold.

    A character split over three tokens is 我 in the first, 我₂ in the second and 我₃ in the third. A byte that belongs
    to no character is hexadecimal: <E6>.
    """
    text, owners = b"".join(tokens), [n for n, token in enumerate(tokens) for _ in token]
    labels, at = [""] * len(tokens), 0
    while at < len(text):
        character, size = first_character(text[at : at + 4])
        for part, owner in enumerate(dict.fromkeys(owners[at : at + size])):
            labels[owner] += character + (PART[part - 1] if part else "")
        at += size
    return labels


def first_character(text: bytes) -> tuple[str, int]:
    """Return the character at the start of the bytes and its size, or a single byte in hexadecimal."""
    for size in range(1, len(text) + 1):
        try:
            return text[:size].decode(), size
        except UnicodeDecodeError:
            continue
    return f"<{text[0]:02X}>", 1
