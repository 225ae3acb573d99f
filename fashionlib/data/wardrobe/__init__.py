"""The embedded data set: drawn photos with every label, box, mask and product known."""

from fashionlib.data.wardrobe.dataset import Wardrobe as Wardrobe
from fashionlib.data.wardrobe.outfits import COLOURS as COLOURS
from fashionlib.data.wardrobe.outfits import LABELS as LABELS
from fashionlib.data.wardrobe.outfits import SLOTS as SLOTS
