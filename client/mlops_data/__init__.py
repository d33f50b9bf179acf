"""Read tables, find out what is in them, and make the numbers that models are trained on.

It stands alone: no HTTP, no AWS, no model types, and no other package of the platform but the contract. The trainer and
the client use it.
"""
