"""The Kubernetes API: how it is asked, and what its refusals are in the API's own words."""
