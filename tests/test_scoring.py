"""What a text costs a model: over windows each token is judged once, and of an answer its own tokens alone."""

import pytest
import torch
import torch.nn.functional as F

from transformer_lab import BERT, GPT, TransformerConfig
from transformer_lab.metrics import perplexity
from transformer_lab.scoring import answer_nats, token_nats, windows
from transformer_lab.tasks.language import text_nats


def made(**changes):
    torch.manual_seed(0)
    sizes = dict(vocab_size=11, d_model=12, n_heads=3, n_layers=2, d_ff=20, max_len=8, positions="learned")
    model = GPT(TransformerConfig(**sizes | changes))
    with torch.no_grad():  # fresh weights are nearly uniform: here what stands before must matter
        for weight in model.parameters():
            weight.mul_(6)
    return model


IDS = torch.tensor([0, 3, 7, 1, 1, 9, 4, 2, 10, 5, 5, 6, 8, 3, 2, 7, 0, 1, 9])


def one_by_one(model, ids, window, stride):
    """The same, a token at a time: where its window begins, and nothing else."""
    found, start = [], 0
    for t in range(1, len(ids)):
        if t > start + window:
            start += stride
        log_probs = model.eval()(ids[None, start:t])[0, -1].log_softmax(-1)
        found.append(-log_probs[ids[t]])
    return torch.stack(found).detach()


@pytest.mark.parametrize("window, stride", [(8, 4), (8, 8), (8, 1), (5, 3), (7, 5), (3, 2), (1, 1), (8, None)])
@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_each_token_is_judged_once_in_its_window(window, stride, batch_size):
    model = made()
    got = token_nats(model, IDS, window, stride, batch_size)
    assert torch.allclose(got, one_by_one(model, IDS, window, stride or window // 2), atol=1e-4)


@pytest.mark.parametrize("n", [2, 7, 8, 9, 10, 12, 13, 19])
def test_the_windows_of_a_task_are_those_with_half_a_window_as_stride(n):
    model = made()
    nats = token_nats(model, torch.cat((torch.tensor([4]), IDS[:n])))
    assert nats.shape == (n,) and nats.sum().item() == pytest.approx(text_nats(model.eval(), IDS[:n], 4), rel=1e-5)


@pytest.mark.parametrize("n", range(2, 30))
def test_windows_leave_nothing_out_and_judge_nothing_twice(n):
    for window in range(1, 9):
        for stride in range(1, window + 1):
            spans = list(windows(n, window, stride))
            assert [t for _, first, end in spans for t in range(first, end)] == list(range(1, n))
            assert all(0 <= start < first and end - 1 - start <= window for start, first, end in spans)


def test_a_model_that_knows_nothing_is_as_perplexed_as_its_vocabulary_is_large():
    model = made()
    with torch.no_grad():
        model.embedding.tokens.weight.zero_()
    nats = token_nats(model, IDS, 4, 3)
    assert perplexity(nats.sum().item(), len(nats)) == pytest.approx(11)


def test_an_answer_costs_its_own_tokens_after_the_prompt():
    model, prompt, answers = made(dropout=0.5), [3, 1, 4], [[1, 5], [9], [2, 6, 5, 3], [0]]
    got = answer_nats(model, prompt, answers)
    for nats, answer in zip(got, answers, strict=True):
        ids = torch.tensor(prompt + answer)
        log_probs = model.eval()(ids[None, :-1])[0].log_softmax(-1)
        wanted = -log_probs.gather(1, ids[1:, None])[len(prompt) - 1 :].sum()
        assert nats.item() == pytest.approx(wanted.item(), rel=1e-4)


def test_the_answers_of_one_token_share_all_that_the_model_holds_possible():
    nats = answer_nats(made(), [3, 1, 4], [[i] for i in range(11)])
    assert nats.neg().exp().sum().item() == pytest.approx(1, rel=1e-5)


def test_the_model_is_left_in_its_mode_and_without_gradients():
    model = made(dropout=0.3).train()
    assert not token_nats(model, IDS).requires_grad and model.training
    assert torch.equal(token_nats(model, IDS), token_nats(model, IDS))


def test_ids_of_32_bits_will_do():
    model = made()
    assert torch.allclose(token_nats(model, IDS.int()), token_nats(model, IDS))


@pytest.mark.parametrize(
    "given, words",
    [
        (dict(window=0), "window must be"),
        (dict(stride=0), "stride must be"),
        (dict(window=4, stride=5), "judged by no window"),
        (dict(ids=IDS[:1]), "at least two tokens"),
    ],
)
def test_what_makes_no_sense_gets_a_sentence(given, words):
    with pytest.raises(ValueError, match=words):
        token_nats(made(), **{"ids": IDS} | given)


def test_an_answer_without_tokens_gets_a_sentence():
    for prompt, answers in (([], [[1]]), ([1], []), ([1], [[2], []])):
        with pytest.raises(ValueError, match="at least one token"):
            answer_nats(made(), prompt, answers)


def test_the_loss_is_that_of_one_pass_where_the_text_fits():
    model = made()
    logits = model.eval()(IDS[None, :8])
    wanted = F.cross_entropy(logits[0], IDS[1:9], reduction="none")
    assert torch.allclose(token_nats(model, IDS[:9]), wanted, atol=1e-5)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_a_window_longer_than_max_len_is_never_read_without_a_word(positions):
    words = "needs 12 positions; this model's max_len is 8"
    told = pytest.raises(ValueError, match=words) if positions == "learned" else pytest.warns(match=words)
    with told:
        token_nats(made(positions=positions), IDS, window=12)
    with pytest.raises(ValueError) if positions == "learned" else pytest.warns(match="11 tokens need 10 positions"):
        answer_nats(made(positions=positions), IDS[:9].tolist(), [[1], [2, 3]])


@pytest.mark.parametrize("ids", [[3, -1, 4], [3, 11, 4]])
def test_what_are_no_ids_of_the_model_get_a_sentence(ids):
    with pytest.raises(ValueError, match="ids must be from 0 to 10"):
        token_nats(made(), torch.tensor(ids))
    with pytest.raises(ValueError, match="each answer must be from 0 to 10"):
        answer_nats(made(), [1], [[2], ids])
    with pytest.raises(ValueError, match="prompt must be from 0 to 10"):
        answer_nats(made(), ids, [[2]])


def test_a_model_of_another_kind_gets_a_sentence():
    with pytest.raises(ValueError, match="model must be a GPT .*; got a BERT"):
        token_nats(BERT(TransformerConfig(vocab_size=11, d_model=12, n_heads=3)), IDS)
