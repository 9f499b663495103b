"""Hostile networks, products, tables and ledgers, each read by a command in a bounded process.

python -m hostile                                  # in tests/, 500 files of each kind
python -m hostile network_h5 external_link 17      # one file again
"""
