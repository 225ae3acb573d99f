"""The published formats, from files typed by hand after their descriptions: read right, or refused by file and line."""

import pickle

import handmade
import numpy as np
import pytest
from handmade import DRESS, edit, photo, write

from fashionlib.core.errors import InputError
from fashionlib.data import load
from fashionlib.data.base import Dataset
from fashionlib.data.published.listed import box_inside
from fashionlib.data.published.lists import tidy
from fashionlib.data.store import load_photos

pytestmark = pytest.mark.filterwarnings(  # the handmade sets have no landmarks of some photos, no boxes, no items
    "ignore:.*no row for 4 of 6 photos", "ignore:.*Anno/list_[a-z]*_?[a-z2]*.txt. missing; ask"
)


@pytest.fixture
def inshop(tmp_path):
    return handmade.make_inshop(tmp_path / "inshop")


@pytest.fixture
def c2s(tmp_path):
    return handmade.make_c2s(tmp_path / "c2s")


@pytest.fixture
def attributes(tmp_path):
    return handmade.make_attributes(tmp_path / "attributes")


@pytest.fixture
def fashion144k(tmp_path):
    return handmade.make_fashion144k(tmp_path / "144k")


@pytest.fixture
def fashion550k(tmp_path):
    return handmade.make_fashion550k(tmp_path / "550k")


def test_inshop_splits_items_and_domain_are_those_of_the_partition(inshop):
    train, query, gallery = (load("deepfashion_inshop", inshop, split) for split in ("train", "query", "gallery"))
    assert train.ids == (f"{DRESS}/02_1_front.jpg", f"{DRESS}/02_2_side.jpg")
    assert [sample.product for sample in (query[0], query[1])] == ["id_00000080", "id_00000390"]
    assert [sample.product for sample in (gallery[0], gallery[1])] == ["id_00000080", "id_00000390"]
    assert query[0].domain == "shop"
    assert query[0].labels is None
    assert isinstance(query, Dataset)
    assert load("deepfashion_inshop", inshop, "inshop_query").ids == query.ids


def test_boxes_count_from_1_in_the_lists_and_from_0_in_samples(inshop):
    sample = load("deepfashion_inshop", inshop, "train")[0]
    assert sample.boxes == {"full": (10.0, 20.0, 30.0, 50.0)}
    shown = load("deepfashion_inshop", inshop, "train", crop=True)[0]
    assert shown.image.shape == (30, 20, 3)
    assert shown.image[0, 0].tolist() == [10, 20, 0]  # column 11 and row 21, counted from 1
    assert shown.image[-1, -1].tolist() == [29, 49, 0]
    assert shown.boxes == {"full": (0.0, 0.0, 20.0, 30.0)}


def test_a_box_that_reaches_out_is_cut_at_the_edge(inshop):
    sample = load("deepfashion_inshop", inshop, "query")[1]
    assert sample.boxes == {"upper": (9.0, 9.0, 40.0, 60.0)}


def test_a_box_with_nothing_of_its_photo_is_left_out_and_crop_names_list_and_line(inshop):
    edit(inshop / "Anno/list_bbox_inshop.txt", "011 021 030 050", "041 001 050 060")  # beside the photo
    assert load("deepfashion_inshop", inshop, "train")[0].boxes == {}
    with pytest.raises(InputError, match=r"list_bbox_inshop\.txt, line 3: the box .* holds nothing of its photo, 40"):
        load("deepfashion_inshop", inshop, "train", crop=True)[0]
    edit(inshop / "Anno/list_bbox_inshop.txt", "041 001 050 060", "000 000 000 000")  # of any photo
    with pytest.warns(UserWarning, match=r"line 3: the box 0 0 0 0 holds nothing of its photo \(left out\)"):
        assert load("deepfashion_inshop", inshop, "train")[0].boxes == {}
    message = r"1 of 2 photos have no box to crop to.*line 3: the box 0 0 0 0 holds nothing"
    with pytest.warns(UserWarning, match="line 3: the box 0 0 0 0"), pytest.raises(InputError, match=message):
        load("deepfashion_inshop", inshop, "train", crop=True)


def test_the_sides_of_a_box_that_stand_the_wrong_way_round_are_sorted(inshop):
    before = load("deepfashion_inshop", inshop, "train")[0].boxes
    edit(inshop / "Anno/list_bbox_inshop.txt", "011 021 030 050", "030 021 011 050")
    for crop in (False, True):
        with pytest.warns(UserWarning, match=r"line 3: the box 30 21 11 50 ends before it begins"):
            dataset = load("deepfashion_inshop", inshop, "train", crop=crop)
        assert dataset[0].boxes == ({"full": (0, 0, 20, 30)} if crop else before)


def test_landmarks_have_names_places_and_visibility(inshop):
    landmarks = load("deepfashion_inshop", inshop, "train")[0].landmarks
    assert landmarks["left collar"] == (14.0, 20.0, True)
    assert landmarks["left sleeve"] == (10.0, 29.0, False)  # hidden
    assert landmarks["right hem"] == (27.0, 49.0, True)
    assert "left hem" not in landmarks  # cut off: it has no place
    jeans = load("deepfashion_inshop", inshop, "query")[0].landmarks
    assert list(jeans) == ["left waistline", "right waistline", "left hem", "right hem"]


def test_landmarks_move_with_the_crop(inshop):
    landmarks = load("deepfashion_inshop", inshop, "train", crop=True)[0].landmarks
    assert landmarks["left collar"] == (4.0, 0.0, True)


def test_inshop_attributes_are_their_items(inshop):
    dataset = load("deepfashion_inshop", inshop, "query", attributes=True)
    assert dataset.labels == ("a-line", "abstract print", "button")
    assert dataset.targets().tolist() == [[0, 0, 1], [0, 1, 0]]
    assert dataset[1].labels.tolist() == [0, 1, 0]


def test_windows_line_ends_extra_blanks_and_a_missing_last_line_end_change_nothing(inshop):
    plain = load("deepfashion_inshop", inshop, "train")
    for path in inshop.rglob("*.txt"):
        text = path.read_text().replace(" 1 ", "   1  ").rstrip("\n")
        path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n\r\n", 1).replace("\n", " \t\r\n").encode())
    dataset = load("deepfashion_inshop", inshop, "train")
    assert dataset.ids == plain.ids
    assert dataset[1].boxes == plain[1].boxes
    assert dataset[0].landmarks == plain[0].landmarks


def test_blanks_in_names_and_items_are_kept(inshop):
    name = "img/WOMEN/Blouses Shirts/id 2/02_1_front.jpg"
    photo(inshop / "Img" / name)
    for path in inshop.rglob("*.txt"):
        path.write_text(path.read_text().replace(f"{DRESS}/02_1_front.jpg", name).replace("id_00000002", "id 2"))
    (inshop / f"Img/{DRESS}").rename(inshop / "Img" / DRESS.replace("id_00000002", "id 2"))
    dataset = load("deepfashion_inshop", inshop, "train", attributes=True)
    assert dataset.ids[0] == name
    assert dataset[0].product == "id 2"
    assert dataset[0].boxes == {"full": (10.0, 20.0, 30.0, 50.0)}
    assert dataset[0].labels.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("Eval/list_eval_partition.txt", "6\n", "7\n", r"partition\.txt, line 1: says 7 rows, but 6 follow"),
        ("Eval/list_eval_partition.txt", "6\n", "six\n", r"line 1: expected the number of rows, got 'six'"),
        ("Eval/list_eval_partition.txt", "id_00000080 query", "id_00000080 test", r"line 5: expected image_name, item"),
        ("Eval/list_eval_partition.txt", "image_name item_id evaluation_status\n", "", r"line 2: expected the line of"),
        (
            "Eval/list_eval_partition.txt",
            "/02_2_side.jpg                            id_00000002",
            "/02_1_front.jpg                           id_00000003",
            r"line 4: .*front.jpg stands in line 3 already; keep one",
        ),
        ("Eval/list_eval_partition.txt", "6\n", "7\n", r"line 1: says 7 rows, but 6 follow"),
        ("Eval/list_eval_partition.txt", "6\n", "9" * 5000 + "\n", r"line 1: expected the number of rows, got '999"),
        ("Eval/list_eval_partition.txt", "/02_2_side", "/a b" * 50_000, r"line 4: expected image_name, item_id"),
        (
            "Eval/list_eval_partition.txt",
            "id_00000390 gallery",
            "id_00000002 gallery",
            r"line 8: .*id_00000002: it leaks",
        ),
        (
            "Eval/list_eval_partition.txt",
            "id_00000390 gallery",
            "id_00000080 gallery",
            r"line 7: .* not in the gallery",
        ),
    ],
)
def test_a_list_that_is_not_as_published_is_named_with_the_line(inshop, file, old, new, message):
    edit(inshop / file, old, new)
    with pytest.raises(InputError, match=message) as caught:
        load("deepfashion_inshop", inshop, "train")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("list_bbox_inshop.txt", "3 1 011", "4 1 011", "line 3: expected image_name, clothes_type"),
        ("list_bbox_inshop.txt", "011 021 030 050", "011 021 030", "line 3: expected"),
        ("list_bbox_inshop.txt", "011 021", "011 2i", "line 3: expected"),
        ("list_bbox_inshop.txt", "011 021", "011 " + "9" * 5000, "line 3: expected"),
        ("list_landmarks_inshop.txt", " 1 028 058", "", "line 4: expected 12 numbers for lower clothes"),
        ("list_landmarks_inshop.txt", "3 1 0 015", "3 1 5 015", "line 3: expected 24 numbers for full clothes"),
    ],
)
def test_a_row_of_boxes_or_landmarks_that_cannot_be_read_is_left_out_and_named(inshop, file, old, new, message):
    whole = load("deepfashion_inshop", inshop, "train")
    edit(inshop / "Anno" / file, old, new)
    with pytest.warns(UserWarning, match=rf"{file}, {message}"):
        dataset = load("deepfashion_inshop", inshop, "train")
    assert dataset.ids == whole.ids
    assert dataset[1].boxes == whole[1].boxes


def test_landmarks_are_read_with_and_without_the_column_variation_type(inshop):
    whole = load("deepfashion_inshop", inshop, "train")[0].landmarks
    edit(
        inshop / "Anno/list_landmarks_inshop.txt",
        "02_1_front.jpg                           3 1 0 015",
        "02_1_front.jpg 3 0 015",
    )
    assert load("deepfashion_inshop", inshop, "train")[0].landmarks == whole


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/secret.jpg", "img/../../secret.jpg", "C:/secret.jpg"])
def test_a_name_that_leads_out_of_the_folder_is_refused(inshop, fashion144k, name):
    photo(inshop.parent / "secret.jpg")
    edit(inshop / "Eval/list_eval_partition.txt", f"{DRESS}/02_1_front.jpg", name)
    with pytest.raises(
        InputError, match=r"partition\.txt, line 3: .*secret\.jpg .* leads out of the data set's folder"
    ):
        load("deepfashion_inshop", inshop, "train")
    edit(fashion144k / "photos.txt", "photos/001.jpg", name)
    with pytest.raises(InputError, match=r"photos\.txt, line 2: .*secret\.jpg' leads out"):
        load("fashion144k", fashion144k, "train")


@pytest.mark.parametrize(
    "linked", ["Img", f"Img/{DRESS}/02_1_front.jpg", f"Img/{DRESS}", "Eval/list_eval_partition.txt"]
)
def test_photos_and_lists_may_be_links_to_another_disk(inshop, linked):
    before = load("deepfashion_inshop", inshop, "train")
    path, elsewhere = inshop / linked, inshop.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    after = load("deepfashion_inshop", inshop, "train")
    assert after.ids == before.ids
    assert (after[0].image == before[0].image).all()


def test_a_folder_that_is_itself_a_link_is_read(inshop):
    link = inshop.parent / "link"
    link.symlink_to(inshop)
    assert len(load("deepfashion_inshop", link, "train")) == 2


def test_names_within_the_folder_are_told_from_those_that_lead_out():
    assert all(tidy(name) == name for name in ("img/a.jpg", "img/a..b/c d.jpg", "a/.b/c.jpg"))
    assert tidy("./img\\WOMEN//a.jpg") == "img/WOMEN/a.jpg"
    assert not any(map(tidy, ("..", "a/..", "../a", "/a", "a\\..\\b", "\\\\host\\a", "c:a", "a/../b", "a\0b")))


def test_too_many_photos_that_are_listed_but_absent_are_refused_with_their_number(inshop):
    (inshop / f"Img/{DRESS}/02_2_side.jpg").unlink()
    with pytest.raises(InputError, match=r"02_2_side\.jpg: is listed but missing: 1 of 2 photos of 'train'; unpack"):
        load("deepfashion_inshop", inshop, "train")


def test_photos_that_were_not_unpacked_are_told_from_a_lost_one(inshop):
    (inshop / "Img").rename(inshop.parent / "elsewhere")
    write(inshop / "Img/img.zip", "PK")
    with pytest.raises(InputError, match=r"Img/img: missing, .*img\.zip is not unpacked \(a password"):
        load("deepfashion_inshop", inshop, "train")


def test_crop_needs_boxes_and_nothing_else_does(inshop):
    (inshop / "Anno/list_bbox_inshop.txt").unlink()
    assert load("deepfashion_inshop", inshop, "train")[0].boxes == {}
    with pytest.raises(InputError, match=r"list_bbox_inshop\.txt: missing; ask for the data at http"):
        load("deepfashion_inshop", inshop, "train", crop=True)


def test_a_missing_folder_says_where_to_ask(tmp_path):
    for name in ("fashion144k", "fashion550k", "deepfashion_inshop", "deepfashion_c2s", "deepfashion_attributes"):
        with pytest.raises(InputError, match=r"no such folder; ask for the data at https?://"):
            load(name, tmp_path / "none")


def test_unknown_splits_and_options_are_refused_with_the_choices(inshop, c2s, attributes):
    with pytest.raises(InputError, match=r"no split 'test': choose one of train, query, gallery"):
        load("deepfashion_inshop", inshop, "test")
    with pytest.raises(InputError, match=r"gallery='all': choose one of val\+test, test"):
        load("deepfashion_c2s", c2s, "gallery", gallery="all")
    with pytest.raises(InputError, match=r"tags='colours': choose one of both"):
        load("deepfashion_attributes", attributes, "train", tags="colours")
    with pytest.raises(InputError, match="does not take these options"):
        load("deepfashion_c2s", c2s, "train", colour="red")


def test_the_c2s_gallery_is_each_shop_photo_of_val_and_test_once(c2s):
    gallery = load("deepfashion_c2s", c2s, "gallery")
    assert gallery.ids == (
        "img/TOPS/Coat/id_00000007/shop_01.jpg",
        "img/TOPS/Vest/id_00000009/shop_01.jpg",
        "img/TOPS/Vest/id_00000009/shop_02.jpg",
    )
    assert {gallery[place].domain for place in range(3)} == {"shop"}
    assert load("deepfashion_c2s", c2s, "c2s_gallery", gallery="test").ids == gallery.ids[1:]


def test_c2s_queries_are_the_consumers_photos_of_the_test(c2s):
    query = load("deepfashion_c2s", c2s, "query")
    assert query.ids == ("img/TOPS/Vest/id_00000009/comsumer_01.jpg", "img/TOPS/Vest/id_00000009/comsumer_02.jpg")
    assert (query[0].product, query[0].domain) == ("id_00000009", "street")
    assert load("deepfashion_c2s", c2s, "val").ids == ("img/TOPS/Coat/id_00000007/comsumer_01.jpg",)
    train = load("deepfashion_c2s", c2s, "train")
    assert [train[place].domain for place in range(3)] == ["street", "shop", "shop"]


def test_a_c2s_photo_of_two_items_names_both_lines(c2s):
    edit(c2s / "Eval/list_eval_partition.txt", "shop_02.jpg     id_00000009", "shop_02.jpg     id_00000008")
    with pytest.raises(
        InputError, match=r"line 8: a photo shows two items, .*02\.jpg: id_00000008, but id_00000009 in line 7"
    ):
        load("deepfashion_c2s", c2s, "query")


def test_c2s_attributes_have_the_english_names(c2s):
    write(
        c2s / "Anno/list_attr_cloth.txt",
        "2\nattribute_name_cn attribute_name attribute_type\n长款 long style 1\n纯色 plain 2\n",
    )
    write(
        c2s / "Anno/list_attr_items.txt",
        "3\nitem_id attribute_labels\nid_00000009 -1  1\nid_00000001 1 1\nid_00000007 1 1\n",
    )
    query = load("deepfashion_c2s", c2s, "query", attributes=True)
    assert query.labels == ("long style", "plain")
    assert query.targets().tolist() == [[0, 1], [0, 1]]
    write(c2s / "Anno/list_attr_items.txt", "1\nitem_id attribute_labels\nid_00000009 -1  1\n")
    with pytest.raises(InputError, match=r"list_attr_items\.txt: no attributes for 2 of 3 names, such as id_00000001"):
        load("deepfashion_c2s", c2s, "train", attributes=True)


def test_categories_and_attributes_are_labels(attributes):
    train = load("deepfashion_attributes", attributes, "train")
    assert train.labels == (
        "Blouse", "Jeans", "Romper", "a-line", "abstract chevron print", "Romper (attribute)", "sheer"
    )  # fmt: skip
    assert train.targets().tolist() == [[1, 0, 0, 0, 0, 0, 1], [0, 0, 1, 1, 0, 1, 0]]
    assert train[0].boxes == {"Blouse": (4.0, 5.0, 20.0, 30.0)}
    test = load("deepfashion_attributes", attributes, "test", tags="attributes")
    assert test.targets().tolist() == [[0, 1, 0, 0]]
    assert load("deepfashion_attributes", attributes, "test", tags="categories").targets().tolist() == [[0, 1, 0]]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("list_attr_img.txt", "-1 -1 -1  1", "-1 -1  1", r"list_attr_img\.txt, line 3: expected a name and 4 times"),
        ("list_attr_img.txt", "-1 -1 -1  1", "-1 -1  2 1", r"list_attr_img\.txt, line 3: expected a name and 4 times"),
        (
            "list_category_img.txt",
            "jpg   1",
            "jpg   9",
            r"list_category_img\.txt, line 3: the category is 9, expected 1 to 3",
        ),
        ("list_category_cloth.txt", "Jeans", "Blouse", r"line 4: Blouse stands in line 3 already"),
    ],
)
def test_attributes_that_do_not_fit_are_named_with_the_line(attributes, file, old, new, message):
    edit(attributes / "Anno" / file, old, new)
    with pytest.raises(InputError, match=message):
        load("deepfashion_attributes", attributes, "train")


def test_fashion144k_takes_photos_and_tags_by_their_numbers(fashion144k):
    train = load("fashion144k", fashion144k, "train")
    assert train.ids == ("photos/004.jpg", "photos/000.jpg", "photos/002.jpg")
    assert train.labels == ("Black", "Boots", "Heather Gray", "T-Shirt")
    assert train.targets().tolist() == [[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1]]
    assert train[2].labels.tolist() == [0, 0, 1, 1]
    assert load("fashion144k", fashion144k, "val").ids == ("photos/005.jpg",)


def test_the_papers_item_labels_are_named_after_equal_columns(fashion144k):
    items = load("fashion144k", fashion144k, "test", tags="items")
    assert items.labels == ("T-Shirt", "Boots")
    assert items.targets().tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize(
    ("file", "array", "message"),
    [
        ("trainids.npy", np.array([0, 6]), r"trainids\.npy: holds numbers outside 0\.\.5 \(1, such as 6"),
        ("trainids.npy", np.array([-1, 0]), r"trainids\.npy: holds numbers outside 0\.\.5 \(1, such as -1"),
        ("trainids.npy", np.array([0.5]), r"trainids\.npy: float64 of \(1,\), expected a row of whole numbers"),
        ("feat/feat_sin.npy", np.zeros((5, 4)), r"feat_sin\.npy: float64 of \(5, 4\), expected 0 and 1 of \(6, 4\)"),
        ("feat/feat_sin.npy", np.full((6, 4), 2), r"feat_sin\.npy: 6 rows hold something else than 0 and 1"),
        ("feat/feat_sin.npy", np.array([{"a": 1}]), r"feat_sin\.npy: holds Python objects, expected numbers"),
    ],
)
def test_an_array_that_does_not_fit_is_named(fashion144k, file, array, message):
    np.save(fashion144k / file, array, allow_pickle=True)
    with pytest.raises(InputError, match=message):
        load("fashion144k", fashion144k, "train")


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_pickle_in_the_place_of_an_array_is_refused_and_not_run(fashion144k, tmp_path):
    (fashion144k / "trainids.npy").write_bytes(pickle.dumps(Trap(str(tmp_path / "sprung"))))
    with pytest.raises(InputError, match=r"trainids\.npy: holds Python objects"):
        load("fashion144k", fashion144k, "train")
    assert not (tmp_path / "sprung").exists()


def test_a_damaged_array_is_named(fashion144k):
    path = fashion144k / "feat/feat_sin.npy"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"feat_sin\.npy: holds no whole array"):
        load("fashion144k", fashion144k, "train")


def test_fashion550k_trains_on_noisy_tags_and_tests_on_verified_ones(fashion550k):
    train = load("fashion550k", fashion550k, "train")
    assert train.ids == tuple(f"photos/{number:03d}.jpg" for number in (1, 2, 3, 4))  # no val, test or duplicate
    assert train.targets().tolist() == [[0, 1], [1, 1], [0, 0], [1, 0]]
    verified, test = (load("fashion550k", fashion550k, split) for split in ("verified", "test"))
    assert (verified.ids, verified.targets().tolist()) == (("photos/002.jpg",), [[1, 1]])
    assert (test.ids, test.targets().tolist()) == (("photos/000.jpg",), [[1, 0]])
    assert load("fashion550k", fashion550k, "val").targets().tolist() == [[0, 0]]
    assert load("fashion550k", fashion550k, "val", tags="noisy").targets().tolist() == [[0, 1]]


def test_verified_tags_may_have_a_row_for_every_photo(fashion550k):
    rows = np.zeros((7, 2), np.uint8)
    rows[0], rows[2] = (0, 1), (1, 0)
    np.save(fashion550k / "annotation/verified.npy", rows)
    assert load("fashion550k", fashion550k, "test").targets().tolist() == [[0, 1]]
    assert load("fashion550k", fashion550k, "verified").targets().tolist() == [[1, 0]]


def test_fashion550k_labels_are_named_where_a_list_says_how(fashion550k):
    assert load("fashion550k", fashion550k, "test").labels == ("label 0", "label 1")
    write(fashion550k / "annotation/labels.txt", "red\nshoes")
    assert load("fashion550k", fashion550k, "test").labels == ("red", "shoes")


def test_the_photo_cache_takes_every_format(inshop, c2s, attributes, fashion144k, fashion550k, tmp_path):
    roots = {
        "deepfashion_inshop": inshop, "deepfashion_c2s": c2s, "deepfashion_attributes": attributes,
        "fashion144k": fashion144k, "fashion550k": fashion550k,
    }  # fmt: skip
    for name, root in roots.items():
        dataset = load(name, root, "train")
        photos = load_photos(dataset, (48, 32), cache=tmp_path / "cache")
        assert photos.ids == dataset.ids
        assert photos.images.shape == (len(dataset), 48, 32, 3)
        assert (photos.targets is None) == (dataset.targets() is None)
        if photos.targets is not None:
            assert photos.targets.tolist() == dataset.targets().tolist()
        assert photos.products == tuple(dataset[index].product or "" for index in range(len(dataset)))


def test_the_fingerprint_changes_with_photos_tags_boxes_and_options_only(inshop, fashion144k):
    before = load("deepfashion_inshop", inshop, "train").fingerprint()
    assert load("deepfashion_inshop", inshop, "train").fingerprint() == before
    assert load("deepfashion_inshop", inshop, "train", crop=True).fingerprint() != before
    edit(inshop / "Anno/list_bbox_inshop.txt", "011 021", "012 021")
    boxes = load("deepfashion_inshop", inshop, "train").fingerprint()
    photo(inshop / f"Img/{DRESS}/02_1_front.jpg", size=(41, 60))
    assert len({before, boxes, load("deepfashion_inshop", inshop, "train").fingerprint()}) == 3
    before = load("fashion144k", fashion144k, "train").fingerprint()
    singles = np.load(fashion144k / "feat/feat_sin.npy")
    singles[4, 0] = 1 - singles[4, 0]
    np.save(fashion144k / "feat/feat_sin.npy", singles)
    assert load("fashion144k", fashion144k, "train").fingerprint() != before


@pytest.mark.parametrize("values", [(1, 1, 40, 60), (1, 1, 1, 1), (40, 60, 40, 60), (0, 0, 41, 61), (-5, 3, 90, 8)])
def test_a_box_inside_holds_the_pixels_that_the_published_box_names(values):
    x1, y1, x2, y2 = values
    left, top, right, bottom = map(int, box_inside(values, (60, 40)))
    named = {(x, y) for x in range(x1, x2 + 1) for y in range(y1, y2 + 1) if 1 <= x <= 40 and 1 <= y <= 60}
    assert {(x + 1, y + 1) for x in range(left, right) for y in range(top, bottom)} == named
