"""Data sets typed by hand after the published descriptions of their formats, not by our own writer."""

import re

import numpy as np
from PIL import Image
from scipy.io import savemat

DRESS, TEE = "img/WOMEN/Dresses/id_00000002", "img/MEN/Tees_Tanks/id_00000390"
INSHOP_PARTITION = f"""\
6
image_name item_id evaluation_status
{DRESS}/02_1_front.jpg                           id_00000002 train     \n\
{DRESS}/02_2_side.jpg                            id_00000002 train     \n\
img/WOMEN/Denim/id_00000080/01_1_front.jpg                             id_00000080 query     \n\
img/WOMEN/Denim/id_00000080/02_1_front.jpg                             id_00000080 gallery   \n\
{TEE}/01_1_front.jpg                          id_00000390 query     \n\
{TEE}/01_4_full.jpg                           id_00000390 gallery   \n"""
INSHOP_BOXES = f"""\
6
image_name clothes_type pose_type x_1 y_1 x_2 y_2
{DRESS}/02_1_front.jpg                           3 1 011 021 030 050
{DRESS}/02_2_side.jpg                            3 2 001 001 040 060
img/WOMEN/Denim/id_00000080/01_1_front.jpg                             2 1 005 030 035 058
img/WOMEN/Denim/id_00000080/02_1_front.jpg                             2 1 005 030 035 058
{TEE}/01_1_front.jpg                          1 1 010 010 045 070
{TEE}/01_4_full.jpg                           1 4 008 008 030 040
"""
INSHOP_LANDMARKS = f"""\
2
image_name clothes_type variation_type landmark_visibility_1 landmark_location_x_1 landmark_location_y_1 …
{DRESS}/02_1_front.jpg                           3 1 0 015 021 0 025 021 1 011 030 0 030 031 0 014 035 0 026 035 \
2 000 000 0 028 050
img/WOMEN/Denim/id_00000080/01_1_front.jpg                             2 1 0 010 030 0 030 030 0 012 058 1 028 058
"""
C2S_PARTITION = """\
6
image_pair_name_1 image_pair_name_2 item_id evaluation_status
img/TOPS/Blouse/id_00000001/comsumer_01.jpg   img/TOPS/Blouse/id_00000001/shop_01.jpg   id_00000001 train
img/TOPS/Blouse/id_00000001/comsumer_01.jpg   img/TOPS/Blouse/id_00000001/shop_02.jpg   id_00000001 train
img/TOPS/Coat/id_00000007/comsumer_01.jpg     img/TOPS/Coat/id_00000007/shop_01.jpg     id_00000007 val
img/TOPS/Vest/id_00000009/comsumer_01.jpg     img/TOPS/Vest/id_00000009/shop_01.jpg     id_00000009 test
img/TOPS/Vest/id_00000009/comsumer_02.jpg     img/TOPS/Vest/id_00000009/shop_01.jpg     id_00000009 test
img/TOPS/Vest/id_00000009/comsumer_02.jpg     img/TOPS/Vest/id_00000009/shop_02.jpg     id_00000009 test
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def edit(path, old, new):
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())


def photo(path, size=(40, 60)):
    """Each pixel tells where it is: red its column, green its row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(size[0]), np.arange(size[1])[:, None]
    Image.fromarray(pixels).save(path, "PNG")  # lossless, whatever the name says
    return path


def photos_named(root, text):
    for name in sorted(set(re.findall(r"img/\S+\.jpg", text))):
        photo(root / "Img" / name)


def make_inshop(root):
    write(root / "Eval/list_eval_partition.txt", INSHOP_PARTITION)
    write(root / "Anno/list_bbox_inshop.txt", INSHOP_BOXES)
    write(root / "Anno/list_landmarks_inshop.txt", INSHOP_LANDMARKS)
    write(root / "Anno/list_item_inshop.txt", "3\nid_00000002\nid_00000080\nid_00000390\n")
    write(root / "Anno/list_attr_cloth.txt", "3\nattribute_name\na-line\nabstract print\nbutton\n")
    write(
        root / "Anno/list_attr_items.txt",
        "3\nitem_id attribute_labels\nid_00000002  1 -1 -1\nid_00000080 -1  0  1\nid_00000390 -1  1 -1\n",
    )
    photos_named(root, INSHOP_PARTITION)
    return root


def make_c2s(root):
    write(root / "Eval/list_eval_partition.txt", C2S_PARTITION)
    photos_named(root, C2S_PARTITION)
    return root


def make_attributes(root):
    first, second = "img/Sheer_Pleated-Front_Blouse/img_00000001.jpg", "img/Faded_Jeans/img_00000001.jpg"
    third, fourth = "img/Romper/img_00000001.jpg", "img/Romper/img_00000002.jpg"
    write(
        root / "Eval/list_eval_partition.txt",
        f"4\nimage_name  evaluation_status\n{first}     train\n{second}   test \n{third}   train\n{fourth} val\n",
    )
    write(
        root / "Anno/list_category_cloth.txt",
        "3\ncategory_name  category_type\nBlouse   1\nJeans      2\nRomper    3\n",
    )
    write(
        root / "Anno/list_category_img.txt",
        f"4\nimage_name  category_label\n{first}   1 \n{second}     2\n{third}  3\n{fourth}  3",
    )
    write(
        root / "Anno/list_attr_cloth.txt",
        "4\nattribute_name  attribute_type\na-line                3\nabstract chevron print   1\nRomper  5\nsheer  2\n",
    )
    write(
        root / "Anno/list_attr_img.txt",
        f"4\nimage_name  attribute_labels\n{first}   -1 -1 -1  1 \n{second}   -1  1  0 -1\n{third}  1 -1  1 -1\n"
        f"{fourth}  1 -1  1 -1\n",
    )
    rows = f"{first}  005 006 020 030\n{second}  001 001 040 060\n{third} 002 002 009 009\n{fourth} 002 002 009 009\n"
    write(root / "Anno/list_bbox.txt", f"4\nimage_name  x_1  y_1  x_2  y_2\n{rows}")
    photos_named(root, f"{first} {second} {third} {fourth}")
    return root


def make_fashion144k(root):
    names = [f"photos/{number:03d}.jpg" for number in range(6)]
    write(root / "photos.txt", "\n".join(names))
    for name in names:
        photo(root / name)
    write(root / "feat/singles.txt", "Black\nBoots\nHeather Gray\nT-Shirt\n")
    singles = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 1, 0], [1, 1, 1, 1]], np.uint8)
    np.save(root / "feat/feat_sin.npy", singles)
    np.save(root / "feat/singles_at_59.npy", singles[:, [3, 1]])
    np.save(root / "trainids.npy", np.array([4, 0, 2]))
    np.save(root / "validids.npy", np.array([5]))
    np.save(root / "testids.npy", np.array([1, 3]))
    return root


def make_fashion550k(root):
    names = [f"photos/{number:03d}.jpg" for number in range(7)]
    write(root / "photos.txt", "\n".join(names) + "\n")
    for name in names:
        photo(root / name)
    (root / "annotation").mkdir()
    noisy = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [0, 1], [0, 1]], bool)
    np.save(root / "annotation/noisy.npy", noisy)
    np.save(root / "annotation/verified.npy", np.array([[1, 1], [0, 0], [1, 0]], np.uint8))  # of 2, then 5, then 0
    for name, numbers in (("trainids", [2]), ("validids", [5]), ("testids", [0]), ("duplicateids", [6])):
        np.save(root / f"{name}.npy", np.array(numbers))
    return root


def plain_photo(path, size=(40, 60), colour=(200, 30, 30), **options):
    """A photo of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)
    return path


def write_ccp(root):
    """A hand-made CCP of 20 photos: 10 with masks (skin above, dress below), 10 with tags (bag)."""
    names = np.array([["null"], ["bag"], ["skin"], ["dress"]], dtype=object)
    savemat(root / "label_list.mat", {"label_list": np.array([[np.array([n[0]]) for n in names]], dtype=object)})
    for kind in ("pixel-level", "image-level"):
        (root / "annotations" / kind).mkdir(parents=True)
    for number in range(20):
        plain_photo(root / "photos" / f"{number:04d}.jpg", colour=(number * 10, 0, 0))
        if number < 10:
            mask = np.zeros((60, 40), np.uint8)
            mask[:20], mask[30:50, 10:30] = 2, 3
            savemat(root / "annotations" / "pixel-level" / f"{number:04d}.mat", {"groundtruth": mask})
        else:
            savemat(root / "annotations" / "image-level" / f"{number:04d}.mat", {"tags": np.array([[0], [1]])})
    return root
