"""The description of the API, with what FastAPI does not know: problems, headers, examples, and names for generated
clients.
"""

from jelmore_api.openapi.document import describe, operation_id

__all__ = ["describe", "operation_id"]
