"""Writers of products: one module for each format."""
