"""A product's attributes, record, place and report, and how a product is read back."""
