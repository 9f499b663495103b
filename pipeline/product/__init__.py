"""What is known about a product: attributes, record, place, report; and how to read it back."""
