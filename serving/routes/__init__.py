"""The routes of the HTTP service, one idea a file; each offers ``routes(...)``, which :mod:`serving.api` assembles."""
