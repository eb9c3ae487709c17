"""One policy, one file. Each looks at what is observed and gives a verdict, or None where it has nothing to
say.
"""
