"""The images that the tests' pods run: what they are made of, and how."""
