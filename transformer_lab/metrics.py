"""Metrics for translations and their alignment, token predictions, language models, texts and named entities.

Shares are between 0 and 1; BLEU and chrF are between 0 and 100, as is customary. A metric that is undefined for its
input, such as the BLEU of single words, is NaN, never 0. Empty data raises ValueError.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from .analysis.recording import record_attention
from .arguments import check_text, check_texts
from .generation import translate
from .models import BERT, GPT, evaluating, unwrapped
from .optional import require_packages
from .sentences import kind_of, short_repr


def exact_match(model, tokenizer, pairs, use_cache: bool = True) -> float:
    """The share of pairs whose greedy translation equals the target exactly; ValueError without pairs.

    With a cache, what has been computed for a token stays as it is, even in a model whose causal mask is switched off.
    Without one the whole text is computed again before each token.
    """
    pairs = list(pairs)
    if not pairs:
        raise ValueError("Exact match needs at least one pair; got none.")
    longest = max(len(tokenizer.encode(pair.target)) for pair in pairs)
    # One more token than the longest target, for [EOS]: a model that has not stopped by then is wrong.
    sources = [pair.source for pair in pairs]
    outputs = translate(model, tokenizer, sources, max_new_tokens=longest + 1, use_cache=use_cache)
    return sum(output == pair.target for output, pair in zip(outputs, pairs, strict=True)) / len(pairs)


def alignment_accuracy(model, tokenizer, pairs) -> float:
    """The share of aligned target tokens whose source token gets the largest cross-attention weight.

    Uses the last decoder layer, averaged over heads, at the row that predicts the token (one before the token itself).
    Pairs without a gold alignment are left out; ValueError if no pair has one, or if one does not fit its tokens.
    """
    pairs, model = list(pairs), unwrapped(model)
    if isinstance(model, GPT | BERT):
        raise ValueError(f"Alignment accuracy needs an encoder-decoder; got {kind_of(model)}.")
    aligned = [pair for pair in pairs if any(gold is not None for gold in pair.alignment or ())]
    if not aligned:
        raise ValueError(f"Alignment accuracy needs a pair with a gold alignment; got {len(pairs)} pairs without one.")
    device = next(model.parameters()).device
    source, source_mask = (t.to(device) for t in tokenizer.batch([pair.source for pair in aligned]))
    target, target_mask = (t.to(device) for t in tokenizer.batch([pair.target for pair in aligned], bos=True))
    for pair, n_source, n_target in zip(aligned, source_mask.sum(dim=1), target_mask.sum(dim=1) - 1, strict=True):
        gold = [one for one in pair.alignment if one is not None]
        if len(pair.alignment) != n_target or not 0 <= min(gold) <= max(gold) < n_source:
            raise ValueError(
                f"An alignment needs one of the {n_source} source tokens, or None, for each of the {n_target} target "
                f"tokens; got {short_repr(pair.alignment)}."
            )
    with evaluating(model), record_attention(model) as maps, torch.no_grad():
        model(source, target, source_mask, target_mask)
    # Row t has read [BOS] and t tokens, and predicts token t: the row index is the token's own index.
    aligned_to = maps["cross"][-1].mean(dim=1).argmax(dim=-1).tolist()
    hits = [
        aligned_to[b][t] == gold
        for b, pair in enumerate(aligned)
        for t, gold in enumerate(pair.alignment)
        if gold is not None
    ]
    return sum(hits) / len(hits)


def token_accuracy(predicted: Int[Tensor, "..."], gold: Int[Tensor, "..."], mask: Bool[Tensor, "..."]) -> float:
    """The share of correct predictions among tokens where mask is True. All three are (B, T), else ValueError."""
    check_token_grids(predicted, gold, mask)
    right = (predicted == gold)[mask]
    return right.sum().item() / len(right)  # a sum of integers is exact, and works on devices without float64


def sequence_accuracy(predicted: Int[Tensor, "..."], gold: Int[Tensor, "..."], mask: Bool[Tensor, "..."]) -> float:
    """The share of rows whose tokens are all correct where mask is True. All three are (B, T), else ValueError.

    Rows that are fully masked out are not counted.
    """
    check_token_grids(predicted, gold, mask)
    right = ((predicted == gold) | ~mask).all(dim=1)[mask.any(dim=1)]
    return right.sum().item() / len(right)


def check_token_grids(predicted: Tensor, gold: Tensor, mask: Tensor) -> None:
    """Raise ValueError unless all three have the same shape (B, T) and the mask is boolean and somewhere True."""
    shapes = [tuple(tensor.shape) for tensor in (predicted, gold, mask)]
    if len(set(shapes)) > 1 or len(shapes[0]) != 2:
        raise ValueError(
            f"predicted, gold and mask must have one shape (B, T); got {shapes[0]}, {shapes[1]}, {shapes[2]}."
        )
    if mask.dtype not in (torch.bool, np.bool_):  # integers would select by index
        raise ValueError(f"The mask must hold True and False; got {mask.dtype}.")
    if not mask.any():
        raise ValueError("The mask is True nowhere: there is no token to be right or wrong about.")


def perplexity(total_nats: float, n_tokens: int) -> float:
    """exp of the mean loss per token: the number of equally likely tokens that would give the same loss.

    total_nats is the loss in nats, summed over all tokens of all batches. (The mean of the batches' means differs
    when batches differ in size.) The result depends on the tokenizer. It is infinite if too large for a float, and
    NaN if the loss is, as when a model has diverged. Raises ValueError unless n_tokens is at least 1.
    """
    if n_tokens < 1:
        raise ValueError(f"Perplexity needs at least one token; got {n_tokens}.")
    try:
        return math.exp(total_nats / n_tokens)
    except OverflowError:
        return math.inf


def bits_per_character(total_nats: float, n_characters: int) -> float:
    """The loss summed over all tokens, in bits, divided by the number of characters in the text.

    Unlike perplexity, it can compare models with different tokenizers. ValueError unless n_characters is at least 1.
    """
    if n_characters < 1:
        raise ValueError(f"Bits per character need at least one character; got {n_characters}.")
    return total_nats / math.log(2) / n_characters


def bleu(outputs: Sequence[str], references: Sequence[str], tokenize: str = "13a") -> float:
    """BLEU of a whole test set, 0..100: shared n-grams of one to four tokens (Papineni et al. 2002; Post 2018).

    This is sacrebleu's corpus_bleu with one reference each, case-sensitive, with exponential smoothing. tokenize is
    "13a" (WMT's, for languages with spaces), "zh" for Chinese, or "char"; only scores with the same tokenizer are
    comparable. NaN if no reference has four tokens: without 4-grams even a perfect translation has no BLEU.
    Raises ValueError if the lists do not match, MissingPackageError if sacrebleu is missing.
    """
    require_packages("BLEU", "sacrebleu")
    import sacrebleu

    outputs, references = check_sides(outputs, references)
    known = sacrebleu.BLEU.TOKENIZERS
    if tokenize not in known:
        raise ValueError(f"tokenize must be one of {', '.join(known)}; got {tokenize!r}.")
    try:
        metric = sacrebleu.BLEU(tokenize=tokenize)
    except (ImportError, RuntimeError) as error:  # some of its tokenizers need another package
        reason = " ".join(str(error).split())
        raise FileNotFoundError(f"tokenize={tokenize!r} needs another package: {reason}") from error
    if metric.corpus_score(references, [references]).totals[-1] == 0:
        return math.nan
    return metric.corpus_score(outputs, [references]).score


def chrf(outputs: Sequence[str], references: Sequence[str]) -> float:
    """chrF of a whole test set, 0..100: F-score of shared n-grams of one to six characters (Popovic 2015).

    This is sacrebleu's corpus_chrf with one reference each, case-sensitive. Recall counts twice as much as precision
    (beta 2); spaces are ignored, so no tokenizer is needed. NaN if the references are empty. Raises as `bleu` does.
    """
    require_packages("chrF", "sacrebleu")
    import sacrebleu

    outputs, references = check_sides(outputs, references)
    if not "".join(references).strip():
        return math.nan
    return sacrebleu.corpus_chrf(outputs, [references]).score


def check_sides(outputs: Sequence[str], references: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return both as lists; ValueError unless there is one reference for each output, and at least one output."""
    check_texts("outputs", outputs)
    check_texts("references", references)
    outputs, references = list(outputs), list(references)
    for text in outputs + references:
        check_text(text)
    if len(outputs) != len(references) or not len(outputs):
        raise ValueError(f"Every output needs one reference; got {len(outputs)} outputs, {len(references)} references.")
    return outputs, references


def entity_f1(predicted: list, gold: list) -> float:
    """Micro-averaged F1 of whole named entities, 0..1: a hit has the right type at exactly the right tokens.

    predicted and gold hold BIO tags ("O", "B-PER", "I-PER" ...), one list per sentence. Entities are counted as in the
    CoNLL-2003 shared task (Tjong Kim Sang and De Meulder 2003), seqeval's default: an I- tag without its B- starts an
    entity all the same. NaN if neither holds an entity. Raises ValueError if the lists do not match,
    MissingPackageError if seqeval is missing.
    """
    require_packages("Entity F1", "seqeval")
    predicted, gold = list(predicted), list(gold)
    from seqeval.metrics import f1_score
    from seqeval.metrics.sequence_labeling import get_entities

    if len(predicted) != len(gold) or not gold:
        raise ValueError(f"Every sentence needs predicted and gold tags; got {len(predicted)} and {len(gold)}.")
    for i, (guess, truth) in enumerate(zip(predicted, gold, strict=True)):
        check_texts(f"The tags of sentence {i}", guess)
        check_texts(f"The tags of sentence {i}", truth)
        if odd := [tag for tag in [*guess, *truth] if not isinstance(tag, str)]:
            raise ValueError(f"The tags of sentence {i} must be texts; got {short_repr(odd[0])}.")
        if len(guess) != len(truth):
            raise ValueError(f"Sentence {i} has {len(truth)} tokens; got {len(guess)} predicted tags.")
    gold, predicted = [list(tags) for tags in gold], [list(tags) for tags in predicted]
    if not get_entities(gold) and not get_entities(predicted):
        return math.nan
    return float(f1_score(gold, predicted, zero_division=0))
