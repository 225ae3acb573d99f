"""The book's Sphinx extension and how its site is built."""
