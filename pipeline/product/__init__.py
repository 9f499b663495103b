"""The attributes, record, place, report and reader of a product."""
