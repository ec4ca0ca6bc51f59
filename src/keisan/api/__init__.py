"""api: the control plane's HTTP server under /api/v1.

Here: routes, who may call them, problem documents, the OpenAPI document.
Not here: SQL (storage), desired state at work (control), the /v1 of calls (gateway).
"""
