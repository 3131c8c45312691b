"""A report on a local warehouse file: `python -m report files/warehouse.db`. Fivetran does not run
it.
"""
