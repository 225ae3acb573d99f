"""The trunks, and the cache of their maps."""

import numpy as np
import pytest
import timm
import torch

from fashionlib.core.errors import InputError
from fashionlib.data.augment import MIRRORED, View
from fashionlib.data.store import Photos
from fashionlib.models.backbones import PackagedTrunk, PaperTrunk, build_trunk, fold, packaged_weights
from fashionlib.training.feature_maps import trunk_maps


def photos(count=3):
    images = np.random.default_rng(0).integers(0, 255, (count, 64, 64, 3), dtype=np.uint8)
    names = tuple(map(str, range(count)))
    return Photos(images, None, (), names, ("",) * count, {}, "fingerprint")


def test_the_packaged_trunk_computes_what_timms_whole_network_does():
    trunk, network = (
        PackagedTrunk(depths=[32], stride=32).eval(),
        timm.create_model("tf_efficientnet_lite0", pretrained=False),
    )
    network.load_state_dict(packaged_weights())
    images = torch.rand(2, 3, 64, 64)
    network.eval()
    with torch.no_grad():
        expected = network.blocks(network.bn1(network.conv_stem((images - 0.5) / 0.5)))
        torch.testing.assert_close(trunk(images), expected)


def test_depths_are_laid_on_one_grid_and_counted():
    trunk = PackagedTrunk(depths=[8, 16, 32], stride=16, pretrained=False).eval()
    with torch.no_grad():
        maps = trunk(torch.rand(1, 3, 96, 64))
    assert trunk.depths == (40, 112, 320)
    assert maps.shape == (1, 472, 6, 4)


def test_the_papers_trunk_has_six_layers_and_the_released_codes_grid():
    trunk = PaperTrunk()
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in trunk.blocks) == 6
    assert trunk(torch.rand(2, 3, 384, 256)).shape == (2, 256, 24, 16)
    assert PaperTrunk(third_pool=True)(torch.rand(2, 3, 384, 256)).shape == (2, 256, 6, 4)


def test_the_released_code_adds_the_mean_instead_of_subtracting_it():
    trunk, images = PaperTrunk(mean="added").eval(), torch.rand(1, 3, 64, 48)
    torch.testing.assert_close(trunk(images), trunk.blocks((images + 0.5) / 0.5))
    ours = PaperTrunk().eval()
    torch.testing.assert_close(ours(images), ours.blocks((images - 0.5) / 0.5))


def test_folding_batch_norms_leaves_the_maps_as_they_are():
    torch.manual_seed(0)
    trunk, images = PackagedTrunk(depths=[8, 32]), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = trunk.eval()(images)
        folded = fold(trunk)
        assert not [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        torch.testing.assert_close(folded(images), expected, atol=1e-3, rtol=1e-3)


def test_a_view_is_kept_apart_from_other_views_and_does_not_depend_on_the_other_photos(tmp_path):
    trunk, given = PackagedTrunk(pretrained=False), photos(4)
    view, options = View(shift=0.2, seed=3, augment=True), {"cache": tmp_path, "precision": "fp32"}
    maps = trunk_maps(trunk, given, view, **options)
    assert np.abs(maps - trunk_maps(trunk, given, **options)).max() > 0.01
    two = Photos(given.images[2:], None, (), given.ids[2:], given.products[2:], {}, "two of them")
    np.testing.assert_allclose(trunk_maps(trunk, two, view, **options), maps[2:], atol=1e-2)


def test_unknown_trunks_and_depths_are_named():
    with pytest.raises(InputError, match="key name: got 'vgg'; choose one of lite0, paper, timm/NAME"):
        build_trunk("vgg")
    with pytest.raises(InputError, match=r"key depths.0: got 5; choose one of 2, 4, 8, 16, 32"):
        build_trunk("lite0", depths=[5])


def test_cached_maps_are_the_computed_ones_and_the_mirror_is_of_the_mirrored_photo(tmp_path):
    trunk, given = PackagedTrunk(pretrained=False), photos()
    options = {"precision": "fp32", "batch": 2}
    first = trunk_maps(trunk, given, cache=tmp_path, **options)
    again = trunk_maps(trunk, given, cache=tmp_path, **options)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, trunk_maps(trunk, given, **options))
    flipped = Photos(np.ascontiguousarray(given.images[:, :, ::-1]), None, (), given.ids, given.products, {}, "flipped")
    np.testing.assert_allclose(
        trunk_maps(trunk, given, MIRRORED, **options), trunk_maps(trunk, flipped, **options), atol=1e-3
    )


def test_another_layout_of_the_same_weights_is_not_found_in_the_cache(tmp_path):
    """Seen to fail: the weights of depths 8+32 and 8+16+32 are the same tensors."""
    torch.manual_seed(0)
    few = trunk_maps(PackagedTrunk(depths=[8, 32]), photos(), cache=tmp_path)
    more = trunk_maps(PackagedTrunk(depths=[8, 16, 32]), photos(), cache=tmp_path)
    assert (few.shape[1], more.shape[1]) == (360, 472)
    assert trunk_maps(PackagedTrunk(depths=[8, 32], stride=16), photos(), cache=tmp_path).shape[2] == 4
