"""The attributes, record, output path, report and reader of a product."""
