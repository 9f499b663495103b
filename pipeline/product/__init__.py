"""All that is said about a product: attributes, provenance, place, report, and reading it back."""
