"""The paper's network, its losses and backbones, and the tagger that holds a backbone and a head together."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "attention": ["BoxLocator", "MapLocator"],
        "backbones": ["PackagedTrunk", "PaperTrunk", "TimmTrunk", "build_trunk"],
        "parser": ["Parser", "ParserOptions"],
        "pretrained": ["model_folder"],
        "spatial_transformer": ["anchor_boxes", "boxes_of", "crop"],
        "st_lstm": ["STLSTM"],
        "tagger": ["Tag", "Tagger", "load_model", "save_model"],
        "texture": ["TextureEncoding"],
    },
)
