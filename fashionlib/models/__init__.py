"""The paper's network and nothing else: trunk, attention, texture encoding, and the parser that joins them (Fig. 2)."""
