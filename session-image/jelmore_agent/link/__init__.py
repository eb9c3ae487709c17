"""The link between launcher and agent (README.md). What the launcher uses of it, frames and sockets, is of the standard
library only.
"""
