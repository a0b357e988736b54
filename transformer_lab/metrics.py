"""How good is it? Exact match, and whether attention finds the token being translated."""

from .analysis import record_attention
from .generation import translate


def exact_match(model, tokenizer, pairs) -> float:
    """The share of pairs whose greedy translation is the target to the last character."""
    longest = max(len(tokenizer.encode(pair.target)) for pair in pairs)
    # One token more than any target needs, its [EOS]: a broken model that never stops is wrong by then.
    outputs = translate(model, tokenizer, [pair.source for pair in pairs], max_new_tokens=longest + 1)
    return sum(output == pair.target for output, pair in zip(outputs, pairs, strict=True)) / len(pairs)


def alignment_accuracy(model, tokenizer, pairs) -> float:
    """The share of aligned target tokens whose source token gets the largest cross-attention weight.

    Last decoder layer, mean of the heads, in the row that predicts the token (one before the token itself).
    """
    device = model.embedding.weight.device
    source, source_mask = (t.to(device) for t in tokenizer.batch([pair.source for pair in pairs]))
    target, target_mask = (t.to(device) for t in tokenizer.batch([pair.target for pair in pairs], bos=True))
    model.eval()
    with record_attention(model) as maps:
        model(source, target, source_mask, target_mask)
    # Row t reads [BOS] and t tokens, and predicts token t: the row index is the token's own index.
    found = maps["cross"][-1].mean(dim=1).argmax(dim=-1).tolist()
    hits = [
        found[b][t] == gold for b, pair in enumerate(pairs) for t, gold in enumerate(pair.alignment) if gold is not None
    ]
    return sum(hits) / len(hits)
