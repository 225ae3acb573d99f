"""Deep TEN against a loop over its definition, and against numerical gradients."""

import pytest
import torch

from fashionlib.models.texture import TextureEncoding


def encoding_by_loop(x, codewords, smoothing):
    """e_k = Σ_i a_ik (x_i − c_k), written as the paper has it; one picture's features, n × d."""
    encoded = torch.zeros_like(codewords)
    for x_i in x:
        residuals = x_i - codewords
        weights = torch.softmax(-smoothing * residuals.square().sum(1), dim=0)
        encoded += weights.unsqueeze(1) * residuals
    return encoded.flatten() / encoded.norm()


@pytest.fixture
def texture():
    torch.manual_seed(0)
    return TextureEncoding(channels=5, codewords=3).double()


def test_encoding_equals_the_loop_over_its_definition(texture):
    features = torch.randn(4, 7, 5, dtype=torch.float64)
    expected = torch.stack([encoding_by_loop(x, texture.codewords, texture.smoothing) for x in features])
    torch.testing.assert_close(texture(features), expected)


def test_gradients_are_right_for_features_codewords_and_smoothing(texture):
    features = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)

    def encode(x, codewords, smoothing):
        parts = {"codewords": codewords, "smoothing": smoothing}
        return torch.func.functional_call(texture, parts, (x,))

    assert torch.autograd.gradcheck(encode, (features, texture.codewords, texture.smoothing))


def test_weights_count_features_as_often_as_they_say(texture):
    features = torch.randn(1, 3, 5, dtype=torch.float64)
    twice = torch.cat([features, features[:, :1]], 1)
    weighted = texture(features, torch.tensor([[[2.0, 1.0, 1.0], [1.0, 1.0, 1.0]]], dtype=torch.float64))
    torch.testing.assert_close(weighted, torch.stack([texture(twice), texture(features)], 1))


def test_the_order_of_the_features_does_not_matter(texture):
    features = torch.randn(2, 6, 5, dtype=torch.float64)
    torch.testing.assert_close(texture(features.flip(1)), texture(features))


def test_encodings_have_length_one_and_k_times_d_numbers(texture):
    encoded = texture(torch.randn(3, 6, 5, dtype=torch.float64))
    assert encoded.shape == (3, 15)
    torch.testing.assert_close(encoded.norm(dim=1), torch.ones(3, dtype=torch.float64))


def test_one_codeword_gives_the_sum_of_residuals_worked_by_hand():
    texture = TextureEncoding(channels=2, codewords=1)
    with torch.no_grad():
        texture.codewords.copy_(torch.tensor([[1.0, 0.0]]))
    encoded = texture.encode(torch.tensor([[[2.0, 0.0], [1.0, 3.0]]]))
    torch.testing.assert_close(encoded, torch.tensor([[[1.0, 3.0]]]))


def test_it_computes_in_fp32_inside_bf16_autocast():
    torch.manual_seed(0)
    texture, features = TextureEncoding(8, 4), torch.randn(2, 9, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = texture(features)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, texture(features))


def test_initial_values_are_those_of_deep_ten():
    texture = TextureEncoding(channels=100, codewords=32)
    bound = (32 * 100) ** -0.5
    assert 0.9 * bound < texture.codewords.abs().max() <= bound
    assert 0 <= texture.smoothing.min() <= texture.smoothing.max() <= 1
