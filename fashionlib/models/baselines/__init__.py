"""What the paper's network is compared with: one file per baseline, on the same backbone, loop and budget."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "csra": ["CSRA"],
        "darn": ["DARN"],
        "fashionnet": ["FashionNet"],
        "inoue": ["Inoue"],
        "siamese": ["Siamese"],
        "stylenet": ["StyleNet"],
        "triplet": ["Triplet"],
        "veit": ["Veit"],
        "whole": ["WholeImage"],
        "wtbi": ["WTBI"],
    },
)
