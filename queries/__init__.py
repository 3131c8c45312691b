"""Answers in plain SQL. Those in folders are compiled from the models of the dbt package."""
