"""A warehouse file as one HTML page: `python -m report files/warehouse.db`. No part of what Fivetran runs."""
