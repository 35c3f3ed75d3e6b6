"""Why a job or an entry is as it is: one rule for each reason, from facts alone.

A rule looks at no clock, no file and no process. Those of a list are asked in its order; to know one reason more
is one rule more in its list.
"""
