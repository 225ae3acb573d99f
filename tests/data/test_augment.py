"""Views of photos: what moves where, and that nothing but the person's place tells where the person is."""

import numpy as np
import torch

from fashionlib.data.augment import LIGHT, MIRRORED, PLAIN, View, augmented

IDS = [f"photo {number}" for number in range(200)]


def spot(row=9.5, column=9.5, size=20):
    """A grey photo with a soft white spot."""
    y, x = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    bump = torch.exp(-((y - row) ** 2 + (x - column) ** 2) / 4)
    return (0.5 + 0.5 * bump).expand(1, 3, size, size)


def centre(image):
    """(x, y) of the spot in −1 … 1."""
    weights = (image[:, 0] - 0.55).clamp(min=0)
    points = (torch.arange(image.shape[-1]) + 0.5) * 2 / image.shape[-1] - 1
    total = weights.sum((1, 2))
    return torch.stack([(weights.sum(1) @ points) / total, (weights.sum(2) @ points) / total], 1)


def test_a_moved_photo_shows_point_p_where_theta_says():
    view = View(shift=0.2, seed=1)
    draws, theta = view.draws(IDS), torch.from_numpy(view.theta(IDS))
    draws[:, 4] = 0.5  # grey outside, so that only the spot is bright
    images = spot(8, 11).expand(len(IDS), -1, -1, -1)
    seen = centre(view(images, draws))
    expected = (centre(images) - theta[:, 2:]) / theta[:, :2]
    torch.testing.assert_close(seen, expected, atol=0.03, rtol=0)
    assert seen.std(0).min() > 0.15


def test_shifts_and_scales_reach_a_fifth_of_the_frame_and_no_further():
    theta = View(shift=0.2).theta([str(number) for number in range(2000)])
    assert theta[:, :2].min() > 0.8
    assert theta[:, :2].max() < 1.2
    assert 0.38 < np.abs(theta[:, 2:]).max() <= 0.4  # a fifth of a frame that is 2 wide


def test_a_view_without_augmentation_neither_mirrors_nor_lights():
    draws = View(shift=0.2).draws(IDS)
    assert (draws[:, 3] >= 0.5).all()
    assert (draws[:, 5:] == 0.5).all()
    both = View(shift=0.2, augment=True).draws(IDS)
    assert 0.3 < (both[:, 3] < 0.5).float().mean() < 0.7


def test_draws_hang_on_seed_and_id_alone():
    view = View(shift=0.2, seed=4, augment=True)
    torch.testing.assert_close(view.draws(IDS)[50:60], view.draws(IDS[50:60]))
    assert not torch.equal(view.draws(IDS), View(shift=0.2, seed=5, augment=True).draws(IDS))


def test_light_changes_brightness_and_contrast_as_far_as_it_says():
    image = torch.full((2, 3, 4, 4), 0.4)
    image[:, :, :2] = 0.6
    draws = torch.tensor([[0.5, 0.5, 0.5, 1, 0.5, 1.0, 0.5], [0.5, 0.5, 0.5, 1, 0.5, 0.5, 0.0]])
    bright, flat = augmented(image, draws, 0.0)
    torch.testing.assert_close(bright.mean(), torch.tensor(0.5 * (1 + LIGHT)))
    torch.testing.assert_close(flat[:, 0, 0] - flat[:, 3, 0], torch.full((3,), 0.2 * (1 - LIGHT)))


def test_what_moves_in_is_the_edge_grey_or_black():
    image = torch.full((3, 3, 10, 10), 0.8)
    draws = torch.tensor([[0.5, 1.0, 0.5, 1, kind, 0.5, 0.5] for kind in (0.1, 0.5, 0.9)])
    right = augmented(image, draws, 0.2)[:, 0, 5, -1]
    torch.testing.assert_close(
        right, torch.tensor([0.8, 0.5, 0.0]) + (0.8 - right.new_tensor([0.8, 0.5, 0.0])) * 0, atol=0.2, rtol=0
    )
    assert right[0] > right[1] > right[2]


def test_plain_and_mirrored_are_what_they_say():
    image, draws = torch.rand(2, 3, 4, 4), PLAIN.draws(["a", "b"])
    assert PLAIN(image, draws) is image
    torch.testing.assert_close(MIRRORED(image, draws), image.flip(-1))


def test_photos_are_moved_by_the_same_amounts_in_mixed_precision():
    """Coordinates in bf16 shift pixels of a 384×256 photo by up to a whole one."""
    torch.manual_seed(0)
    images, draws = torch.rand(2, 3, 384, 256), torch.rand(2, 7)
    with torch.autocast("cpu", torch.bfloat16):
        found = augmented(images, draws, 0.2)
    torch.testing.assert_close(found, augmented(images, draws, 0.2))
