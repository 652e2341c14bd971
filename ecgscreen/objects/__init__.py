"""Recordings in object storage, through fsspec: only below a prefix that the user named."""
