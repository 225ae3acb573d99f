"""What the paper's network is compared with, one file each, on the same trunk, loop and budget."""
