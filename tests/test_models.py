"""The encoder-decoder against torch.nn's, and the properties a reader may rely on."""

import pytest
import torch

from transformer_lab import Transformer, TransformerConfig, generate
from transformer_lab.attention import causal_mask

CONFIG = dict(vocab_size=17, d_model=16, n_heads=2, n_layers=2, d_ff=24, max_len=12)


def copy_attention(ours, theirs):
    theirs.in_proj_weight.data = torch.cat([w.weight.data for w in (ours.w_q, ours.w_k, ours.w_v)])
    theirs.in_proj_bias.data = torch.cat([w.bias.data for w in (ours.w_q, ours.w_k, ours.w_v)])
    theirs.out_proj.load_state_dict(ours.w_o.state_dict())


def copy_block(ours, theirs):
    copy_attention(ours.attention, theirs.self_attn)
    if hasattr(ours, "cross_attention"):
        copy_attention(ours.cross_attention, theirs.multihead_attn)
    theirs.linear1.load_state_dict(ours.feed_forward.w_1.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.w_2.state_dict())
    for i, residual in enumerate(ours.residuals):
        norm = getattr(theirs, f"norm{i + 1}")
        norm.weight.data, norm.bias.data = residual.norm.gamma.data, residual.norm.beta.data


@pytest.mark.parametrize("norm_position", ["pre", "post"])
def test_equals_torch_transformer(norm_position):
    model = Transformer(TransformerConfig(**CONFIG, norm_position=norm_position)).double().eval()
    for p in model.parameters():  # no parameter left at a value that hides a mistake
        torch.nn.init.normal_(p, mean=0.1, std=0.3)
    kwargs = dict(batch_first=True, dropout=0.0, norm_first=norm_position == "pre", dtype=torch.float64)
    encoder = [torch.nn.TransformerEncoderLayer(16, 2, 24, **kwargs).eval() for _ in model.encoder]
    decoder = [torch.nn.TransformerDecoderLayer(16, 2, 24, **kwargs).eval() for _ in model.decoder]
    for ours, theirs in zip([*model.encoder, *model.decoder], [*encoder, *decoder], strict=True):
        copy_block(ours, theirs)
    source, target = torch.randint(17, (3, 7)), torch.randint(17, (3, 5))
    real = torch.arange(7) < torch.tensor([7, 4, 6])[:, None]
    memory = model.embed(source)
    for layer in encoder:
        memory = layer(memory, src_key_padding_mask=~real)
    memory = model.encoder_norm(memory)
    x = model.embed(target)
    for layer in decoder:
        x = layer(x, memory, tgt_mask=~causal_mask(5), memory_key_padding_mask=~real)
    expected = model.decoder_norm(x) @ model.embedding.weight.T
    torch.testing.assert_close(model(source, target, real), expected, rtol=0, atol=1e-10)


def test_the_future_and_the_padding_do_not_matter():
    model = Transformer(TransformerConfig(**CONFIG)).eval()
    source, target = torch.randint(1, 17, (1, 6)), torch.randint(1, 17, (1, 6))
    real = torch.tensor([[True] * 4 + [False] * 2])
    before = model(source, target, real)
    changed_target, changed_source = target.clone(), source.clone()
    changed_target[:, 4:] = (changed_target[:, 4:] + 1) % 17
    changed_source[:, 4:] = (changed_source[:, 4:] + 1) % 17
    after = model(changed_source, changed_target, real)
    torch.testing.assert_close(after[:, :4], before[:, :4])
    assert not torch.allclose(after[:, 4:], before[:, 4:])


def test_greedy_generation_takes_the_most_probable_token_and_fills_finished_rows():
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(**CONFIG)).eval()
    source, start = torch.randint(17, (4, 6)), torch.zeros(4, 1, dtype=torch.long)
    ids = generate(model, start, 8, source=source)
    expected = start
    for _ in range(8):
        expected = torch.cat((expected, model(source, expected)[:, -1:].argmax(-1)), dim=1)
    assert ids.tolist() == expected.tolist()
    stop = ids[0, 3].item()
    stopped = generate(model, start, 8, source=source, stop=stop, pad_id=16)
    for row, whole in zip(stopped.tolist(), ids.tolist(), strict=True):
        end = whole.index(stop, 1) + 1 if stop in whole[1:] else len(whole)
        assert row == (whole[:end] + [16] * len(row))[: len(row)]


@pytest.mark.parametrize(
    "change, sentence",
    [
        (dict(n_heads=3), "d_model must be a multiple of n_heads; got d_model=16, n_heads=3."),
        (dict(n_layers=0), "n_layers must be at least 1; got 0."),
        (dict(d_model=15, n_heads=3), "d_model must be even for sinusoidal positions; got 15."),
        (dict(norm_position="both"), 'norm_position must be "pre" or "post"; got \'both\'.'),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(change, sentence):
    with pytest.raises(ValueError) as error:
        TransformerConfig(**{**CONFIG, **change})
    assert str(error.value) == sentence


def test_a_sequence_longer_than_max_len_is_refused():
    model = Transformer(TransformerConfig(**CONFIG))
    with pytest.raises(ValueError, match=r"13 positions; this model's max_len is 12\."):
        model(torch.zeros(1, 13, dtype=torch.long), torch.zeros(1, 2, dtype=torch.long))
