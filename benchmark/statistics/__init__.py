"""How far figures could be off: intervals over test sets, spread over seeds.

Names are imported from their modules: a report of what is finished needs the spread alone, and no SciPy.
"""
